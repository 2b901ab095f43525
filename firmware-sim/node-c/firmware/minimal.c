/*
 * The least that is a node: connects, publishes one reliable reading a second and switches a relay on command. Its size is what `make size` prints.
 * Its aliases and its command topic are given by the gateway's profile.
 */
#include <avr/io.h>
#include <avr/sleep.h>

#include "board.h"

static const char token[] HSK_FLASH = "token-of-node-1";
static const struct hsk_config config HSK_FLASH = {.token = token, .token_length = sizeof token - 1, .keep_alive = 60000};

bool hsk_on_command(const struct hsk_command *command) {
    if (command->length && command->content[0] & 1) PORTB |= _BV(PORTB5);
    else PORTB &= (uint8_t)~_BV(PORTB5);
    return true;
}

void hsk_on_settled(const struct hsk_reading *reading, bool accepted) {
    (void)reading, (void)accepted;
}

/* It never returns. */
int main(void) __attribute__((OS_main));

int main(void) {
    uint16_t last = 0;
    DDRB = _BV(DDB5);
    board_begin();
    hsk_start(&config);
    /* The mode is idle. */
    sleep_enable();
    for (;;) {
        hsk_poll();
        uint16_t now = (uint16_t)board_ms();
        if ((uint16_t)(now - last) >= 1000) {
            last = now;
            GPIOR1 = 1; /* from here to there `make size` counts the cycles */
            uint16_t value = board_adc();
            uint8_t content[2] = {(uint8_t)(value >> 8), (uint8_t)value};
            hsk_publish(0, content, sizeof content, HSK_RELIABLE);
            GPIOR1 = 2;
        }
        sleep_cpu();
    }
}
