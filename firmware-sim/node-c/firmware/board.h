/* What the firmware needs of an ATmega328P at 16 MHz: a serial port, a millisecond tick, the ADC, sleep. */
#ifndef BOARD_H
#define BOARD_H

#include <avr/io.h>
#include <stdint.h>

#include "hashike.h"

void board_begin(void);
/* Of channel 0 against AVcc, 0-1023. */
uint16_t board_adc(void);
uint32_t board_ms(void);
/* Waits until the last byte has left. */
void board_flush(void);
/* Power-down for 250 ms, all clocks off but the watchdog's, which counts the time. */
void board_power_down(void);

/*
 * For an emulator that watches: an event goes out through GPIOR0, a byte at a time, which costs a real device nothing worth mentioning.
 * A code, an alias or 0, and a number of 32 bits.
 */
void board_tell(char code, uint8_t alias, uint32_t number);

#endif
