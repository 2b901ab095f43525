/* A node's wire: a pseudo-terminal under a path of our choice, with faults. */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line {
    const char *path;
    int master;
    bool opened;       /* somebody has the device open */
    int64_t looked_at; /* when that was looked at last, ms */
    bool cut;
    unsigned noise; /* one of so many thousand bytes has a bit turned over, in each direction */
    uint32_t chance;
};

/* Milliseconds of a clock that only goes forward. */
int64_t line_now(void);
void line_plug(struct line *line, const char *path, uint32_t seed);
void line_unplug(struct line *line);
/* Bytes that came, 0 when there are none. */
size_t line_read(struct line *line, uint8_t *bytes, size_t room);
/* What nobody takes is gone, as on a wire. */
void line_write(struct line *line, const uint8_t *bytes, size_t length);

#endif
