/*
 * A thermometer: a TMP36 on A0, one reliable reading every ten seconds. The gateway is on Serial: see docs/nodes.md for the wiring and for what to write into its
 * configuration. Its profile declares alias 0 as {client}/temperature with one i16 in hundredths of a degree.
 */
#include <hashike.h>

static const char token[] HSK_FLASH = "change-me";
static const struct hsk_config config HSK_FLASH = {
    token,             // what the gateway knows this node by
    0,                 // no CLIENT_NAME
    60000,             // PING after half a minute of silence
    0, 0,              // aliases and commands: from the gateway's profile
    sizeof token - 1, 0, 0
};

// ---- What the library asks for: bytes in, bytes out, a clock ----

int hsk_port_read(void) {
    return Serial.read();
}

void hsk_port_write(const uint8_t *bytes, hsk_size length) {
    Serial.write(bytes, length);
}

uint32_t hsk_port_ms(void) {
    return millis();
}

// ---- What it tells ----

bool hsk_on_command(const struct hsk_command *) {
    return true;
}

void hsk_on_settled(const struct hsk_reading *, bool) {
}

void setup() {
    Serial.begin(HSK_BAUD);
    hsk_start(&config);
}

void loop() {
    static uint32_t last;
    hsk_poll();
    if (millis() - last < 10000) return;
    last += 10000;
    // 10 mV a degree, 500 mV at 0 degrees; 5 V are 1024 steps.
    int16_t value = (int16_t)(analogRead(A0) * 50000L / 1024 - 5000);
    uint8_t content[2] = {(uint8_t)((uint16_t)value >> 8), (uint8_t)value};
    hsk_publish(0, content, sizeof content, HSK_RELIABLE);
}
