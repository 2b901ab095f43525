/*
 * A thermometer with a relay on an ATmega328P: an analogue sensor of 10 mV a degree with 500 mV at 0 degrees (TMP36) on A0, a relay on pin 13, the gateway on
 * the serial port. Takes a reading every 250 ms and sleeps in between; the context and what is not acknowledged stand in the EEPROM, so a reset loses nothing.
 * The contents are those of the profile in firmware-sim/site-plan.ts.
 */
#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

#include "board.h"

enum { TEMPERATURE = 0, STATE = 1, SET = 2 };

/* How long a node that is awake listens for commands after it has nothing more to say. */
#define LISTEN_MS 30
/* When no answer comes, it sleeps all the same. */
#define AWAKE_MS 2000
/* Every so many times it asks for its commands as it wakes; else its reading goes at once. */
#define RESUME_EVERY 8

static const char token[] HSK_FLASH = TOKEN_TEXT;
static const struct hsk_config config HSK_FLASH = {.token = token, .token_length = sizeof token - 1, .keep_alive = 10000};

static uint32_t readings;
static uint32_t states;

static uint8_t *put32(uint8_t *at, uint32_t value) {
    for (uint8_t i = 4; i--; value >>= 8) at[i] = (uint8_t)value;
    return at + 4;
}

static uint32_t get32(const uint8_t *at) {
    uint32_t value = 0;
    for (uint8_t i = 0; i < 4; i++) value = value << 8 | at[i];
    return value;
}

/* A content begins with its number. */
static void publish(uint8_t alias, const uint8_t *content, uint8_t length) {
    board_tell('M', alias, get32(content));
    if (!hsk_publish(alias, content, length, HSK_RELIABLE)) board_tell('F', alias, get32(content));
}

bool hsk_on_command(const struct hsk_command *command) {
    uint8_t content[8];
    if (command->alias != SET || command->length != 4) return true;
    /* Odd: on. */
    if (command->content[3] & 1) PORTB |= _BV(PORTB5);
    else PORTB &= (uint8_t)~_BV(PORTB5);
    uint32_t number = get32(command->content);
    board_tell('C', SET, number);
    put32(put32(content, ++states), number);
    publish(STATE, content, 8);
    return true;
}

void hsk_on_settled(const struct hsk_reading *reading, bool accepted) {
    board_tell(accepted ? 'A' : 'R', reading->alias, get32(reading->content));
}

void hsk_store_read(uint16_t at, void *bytes, uint8_t length) {
    eeprom_read_block(bytes, (const void *)at, length);
}

/* Bytes that are what they should be are not written: the EEPROM wears. A byte takes 3.4 ms, in which the tick and the watchdog have to go on. */
void hsk_store_write(uint16_t at, const void *bytes, uint8_t length) {
    eeprom_update_block(bytes, (void *)at, length);
    (void)board_ms();
    wdt_reset();
}

static void measure(void) {
    uint8_t content[6];
    /* Hundredths of a degree: 5 V are 1024 steps. */
    int16_t value = (int16_t)((uint32_t)board_adc() * 50000UL / 1024 - 5000);
    uint8_t *end = put32(content, ++readings);
    end[0] = (uint8_t)((uint16_t)value >> 8);
    end[1] = (uint8_t)value;
    publish(TEMPERATURE, content, 6);
}

/* The numbers of each boot follow those of the boot before. */
static uint32_t count_boots(void) {
    uint16_t *place = (uint16_t *)HSK_STORE;
    uint16_t boots = (uint16_t)(eeprom_read_word(place) + 1);
    eeprom_write_word(place, boots);
    return (uint32_t)boots << 16;
}

int main(void) {
    uint8_t naps = 0;
    MCUSR = 0;
    wdt_enable(WDTO_500MS);
    DDRB = _BV(DDB5);
    board_begin();
    hsk_start(&config);
    readings = states = count_boots();
    board_tell('B', 0, readings);
    for (;;) {
        uint32_t woken = board_ms();
        uint32_t busy = woken;
        measure();
        for (;;) {
            uint32_t now = board_ms();
            wdt_reset();
            hsk_poll();
            if (!hsk_idle()) busy = now;
            if (now - busy >= LISTEN_MS || now - woken >= AWAKE_MS) break;
            sleep_mode();
        }
        hsk_sleep();
        board_power_down();
        hsk_wake(++naps % RESUME_EVERY == 0);
    }
}
