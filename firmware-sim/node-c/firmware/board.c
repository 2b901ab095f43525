#include "board.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <avr/wdt.h>
#include <util/delay.h>

#define BAUD HSK_BAUD
#include <util/setbaud.h>

/* Registers are written whole: what they hold is known, and reading them first costs code. */
#define LISTENING (_BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0))
#define CONVERTING (_BV(ADEN) | _BV(ADSC) | _BV(ADPS2) | _BV(ADPS1))

/* Powers of 2. */
#define RECEIVED 32
#define SENDING 32

static volatile uint8_t received[RECEIVED], received_head, received_tail;
static volatile uint8_t sending[SENDING], sending_head, sending_tail;
static uint32_t ms;

ISR(USART_RX_vect) {
    uint8_t head = received_head;
    received[head] = UDR0;
    head = (uint8_t)((head + 1) % RECEIVED);
    if (head != received_tail) received_head = head;
}

ISR(USART_UDRE_vect) {
    uint8_t tail = sending_tail;
    UDR0 = sending[tail];
    tail = (uint8_t)((tail + 1) % SENDING);
    sending_tail = tail;
    if (tail == sending_head) UCSR0B = LISTENING;
}

/* Ends a sleep about every millisecond. */
EMPTY_INTERRUPT(TIMER0_OVF_vect)

void board_begin(void) {
#if UBRRH_VALUE
    UBRR0H = UBRRH_VALUE;
#endif
    UBRR0L = UBRRL_VALUE;
#if USE_2X
    UCSR0A = _BV(U2X0);
#endif
    UCSR0B = LISTENING;
    /* Timer 1 counts 250 steps of 64 cycles a millisecond; timer 0 overflows every 256 of them. */
    TCCR1B = _BV(CS11) | _BV(CS10);
    TCCR0B = _BV(CS01) | _BV(CS00);
    TIMSK0 = _BV(TOIE0);
    ADMUX = _BV(REFS0);
    /* 250 kHz: a little above what 10 exact bits ask for, and good for a sensor that is a degree off. The first conversion, which takes twice as long, is done here. */
    ADCSRA = CONVERTING;
    sei();
}

uint16_t board_adc(void) {
    ADCSRA = CONVERTING;
    while (ADCSRA & _BV(ADSC)) {}
    return ADC;
}

/* To be called at least every 262 ms, when timer 1 has gone round. */
uint32_t board_ms(void) {
    static uint16_t counted;
    for (; (uint16_t)(TCNT1 - counted) >= 250; counted = (uint16_t)(counted + 250)) ms++;
    return ms;
}

void board_flush(void) {
    while (UCSR0B & _BV(UDRIE0)) {}
    /* What the data register and the shift register hold. */
    _delay_us(2 * 10 * 1000000.0 / HSK_BAUD);
}

/* Ends the sleep below. */
EMPTY_INTERRUPT(WDT_vect)

/* The watchdog is not wdt_enable()d here: it interrupts instead of resetting. */
static void set_watchdog(uint8_t mode) {
    cli();
    wdt_reset();
    WDTCSR = _BV(WDCE) | _BV(WDE);
    WDTCSR = mode;
    sei();
}

void board_power_down(void) {
    board_flush();
    /* Timers stop in power-down anyhow; an emulator may not know. */
    TCCR1B = 0;
    TCCR0B = 0;
    ADCSRA = 0;
    set_watchdog(_BV(WDIE) | _BV(WDP2));
    set_sleep_mode(SLEEP_MODE_PWR_DOWN);
    sleep_mode();
    set_sleep_mode(SLEEP_MODE_IDLE);
    wdt_enable(WDTO_500MS);
    /* The first conversion takes longer: it is done while the node has other things to do. */
    ADCSRA = CONVERTING;
    TCCR0B = _BV(CS01) | _BV(CS00);
    TCCR1B = _BV(CS11) | _BV(CS10);
    ms += 250;
}

void board_tell(char code, uint8_t alias, uint32_t number) {
    GPIOR0 = (uint8_t)code;
    GPIOR0 = alias;
    for (uint8_t i = 4; i--;) GPIOR0 = (uint8_t)(number >> (8 * i));
}

/* ---- What the library asks for ---- */

int hsk_port_read(void) {
    uint8_t tail = received_tail;
    if (tail == received_head) return -1;
    uint8_t byte = received[tail];
    received_tail = (uint8_t)((tail + 1) % RECEIVED);
    return byte;
}

void hsk_port_write(const uint8_t *bytes, hsk_size length) {
    while (length--) {
        uint8_t head = sending_head;
        uint8_t next = (uint8_t)((head + 1) % SENDING);
#ifdef BOARD_FAULTS
        /* The emulator asks for a program that hangs in the middle of a frame. */
        if (GPIOR2 && length == 4) for (;;) {}
#endif
        while (next == sending_tail) {}
        sending[head] = *bytes++;
        sending_head = next;
        UCSR0B = LISTENING | _BV(UDRIE0);
    }
}

uint32_t hsk_port_ms(void) {
    return board_ms();
}
