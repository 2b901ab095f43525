/* An emulated ATmega328P at 16 MHz and its UART 0, by libsimavr. */
#ifndef CHIP_H
#define CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <simavr/sim_avr.h>

#define CYCLES_PER_MS 16000

/* A chip that holds this firmware, or NULL; `sent` gets each byte that its UART sends. The loader says things on standard output. */
avr_t *chip_make(const char *firmware, void (*sent)(uint8_t byte));
/* Bytes of RAM that data and bss of its firmware take. */
uint32_t chip_static_ram(void);
/* How many bytes may wait for its UART. */
size_t chip_room(void);
/* Bytes for its UART, which takes them when it is ready; as many as there is room for. */
void chip_receive(const uint8_t *bytes, size_t count);
/* Runs it for so many cycles; false when its processor stopped for good. */
bool chip_run(avr_t *chip, avr_cycle_count_t cycles);

#endif
