/*
 * A relay on pin 13 that the cloud switches. This node needs no profile in the gateway: it declares its topics itself and subscribes to its commands; its token has to
 * allow `publish: [relay/state]` and `subscribe: [relay/set]`. See docs/nodes.md for the wiring and for the gateway's configuration.
 */
#include <hashike.h>

enum { STATE = 0, SET = 1 };

static const char token[] HSK_FLASH = "change-me";
static const char stateTopic[] HSK_FLASH = "relay/state";
static const char setTopic[] HSK_FLASH = "relay/set";
// Both carry one byte: content type 0x8001, length 1.
static const uint8_t layout[] HSK_FLASH = {0x80, 0x01, 1};
static const struct hsk_alias aliases[] HSK_FLASH = {
    {stateTopic, layout, sizeof layout, STATE},
    {setTopic, layout, sizeof layout, SET},
};
static const char *const filters[] HSK_FLASH = {setTopic};
static const struct hsk_config config HSK_FLASH = {
    token, 0, 60000, aliases, filters,
    sizeof token - 1, sizeof aliases / sizeof *aliases, sizeof filters / sizeof *filters
};

int hsk_port_read(void) {
    return Serial.read();
}

void hsk_port_write(const uint8_t *bytes, hsk_size length) {
    Serial.write(bytes, length);
}

uint32_t hsk_port_ms(void) {
    return millis();
}

// Once for each command, in order. It stays with the gateway until this has returned true.
bool hsk_on_command(const struct hsk_command *command) {
    if (command->length != 1) return true;
    uint8_t on = command->content[0] != 0;
    digitalWrite(13, on ? HIGH : LOW);
    hsk_publish(STATE, &on, 1, HSK_RELIABLE);
    return true;
}

void hsk_on_settled(const struct hsk_reading *, bool) {
}

void setup() {
    pinMode(13, OUTPUT);
    Serial.begin(HSK_BAUD);
    hsk_start(&config);
}

void loop() {
    hsk_poll();
}
