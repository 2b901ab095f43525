/* Frames on a serial line, clause 7: CRC-16/CCITT-FALSE, COBS, one 0x00. */
#include "internal.h"

uint16_t hsk_crc_of(uint16_t crc, uint8_t byte) {
    uint8_t high = (uint8_t)((crc >> 8) ^ byte);
    high ^= (uint8_t)(high >> 4);
    uint8_t first = (uint8_t)((uint8_t)crc ^ (uint8_t)(high << 4) ^ (high >> 3));
    uint8_t second = (uint8_t)(high ^ (uint8_t)(high << 5));
    return (uint16_t)(first << 8 | second);
}

/* ---- What comes ---- */

static void keep(uint8_t byte) {
#if HSK_FRAGMENTS
    const hsk_size room = hsk.joined + HSK_MTU + 2 < HSK_FRAME ? (hsk_size)(hsk.joined + HSK_MTU + 2) : HSK_FRAME;
#else
    const hsk_size room = HSK_FRAME;
#endif
    if (hsk.flags & SKIPPING) return;
    if (hsk.length == room) {
        hsk.flags |= SKIPPING;
        hsk_count(HSK_LONG_FRAMES);
    } else {
        hsk.frame[hsk.length++] = byte;
    }
}

static void finish(void) {
#if HSK_FRAGMENTS
    const hsk_size start = hsk.joined;
#else
    const hsk_size start = 0;
#endif
    uint8_t *frame = hsk.frame + start;
    if (!(hsk.flags & SKIPPING)) {
        hsk_size length = (hsk_size)(hsk.length - start);
        uint16_t crc = 0xFFFF;
        for (hsk_size i = 0; i < length; i++) crc = hsk_crc_of(crc, frame[i]);
        hsk.flags |= HANDLING;
        /* The CRC of a frame with its CRC is 0. */
        if (hsk.left || length < 3 || crc || !hsk_frame(frame, (hsk_size)(length - 2))) hsk_count(HSK_BAD_FRAMES);
    }
    hsk.flags &= (uint8_t)~(SKIPPING | HANDLING);
#if HSK_FRAGMENTS
    hsk.length = hsk.joined;
#else
    hsk.length = 0;
#endif
}

void hsk_unstuff(uint8_t byte) {
    if (byte == 0) {
        /* Two 0x00 in a row are no frame and no error. */
        if (hsk.code) finish();
        hsk.left = 0;
        hsk.code = 0;
    } else if (hsk.left) {
        hsk.left--;
        keep(byte);
    } else {
        /* A group of less than 254 bytes stands for a 0x00 at its end, but not at the end of the frame. */
        if (hsk.code && hsk.code != 0xFF) keep(0);
        hsk.code = byte;
        hsk.left = (uint8_t)(byte - 1);
    }
}

/* ---- What goes ---- */

void hsk_stuff(uint8_t byte) {
    /* Room for this byte, for the code of a full group and for the end. */
    if (hsk.out > HSK_FRAME - 3) {
        hsk.out = HSK_FRAME;
        return;
    }
#if HSK_FRAME > 254
    if (hsk.out - hsk.group == 255) {
        hsk.frame[hsk.group] = 255;
        hsk.group = hsk.out++;
    }
#endif
    hsk.frame[hsk.out] = byte;
    if (byte == 0) {
        hsk.frame[hsk.group] = (uint8_t)(hsk.out - hsk.group);
        hsk.group = hsk.out;
    }
    hsk.out++;
}

void hsk_put(uint8_t byte) {
    hsk.crc = hsk_crc_of(hsk.crc, byte);
    hsk_stuff(byte);
}

void hsk_put_bytes(const uint8_t *bytes, uint8_t length) {
    while (length--) hsk_put(*bytes++);
}

void hsk_begin(uint8_t first) {
    const hsk_size most = first & 0x80 ? HSK_FRAME - HALF : 0;
    if (hsk.length > most) {
        /* Bytes of a frame that is being read are done with when something is sent. */
        if (!(hsk.flags & HANDLING)) {
            hsk.flags |= SKIPPING;
            hsk_count(HSK_LONG_FRAMES);
        }
        hsk.length = 0;
#if HSK_FRAGMENTS
        hsk.joined = 0;
#endif
    }
    hsk.group = hsk.length;
    hsk.out = (hsk_size)(hsk.length + 1);
    hsk.crc = 0xFFFF;
    hsk_put(first);
}

void hsk_end(void) {
    uint8_t *frame = hsk.frame + hsk.length;
    uint16_t crc = hsk.crc;
    hsk_stuff((uint8_t)(crc >> 8));
    hsk_stuff((uint8_t)crc);
    if (hsk.out == HSK_FRAME) {
        hsk_count(HSK_LONG_FRAMES);
        return;
    }
    hsk.frame[hsk.group] = (uint8_t)(hsk.out - hsk.group);
    hsk.frame[hsk.out++] = 0;
    hsk_size length = (hsk_size)(hsk.out - hsk.length);
    hsk.spoke_at = hsk_slow_clock();
    hsk.line_free = (uint16_t)(hsk.line_free + 1 + LINE_MS(length));
    hsk_port_write(frame, length);
}
