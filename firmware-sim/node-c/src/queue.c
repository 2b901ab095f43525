/* The queue of readings. Those with a number come first, in the order of their numbers. */
#include "internal.h"

void hsk_count(uint8_t counter) {
    hsk.counters[counter]++;
}

void hsk_copy(void *to, const void *from, uint16_t length) {
    uint8_t *out = to;
    const uint8_t *in = from;
    while (length--) *out++ = *in++;
}

uint32_t hsk_age(const struct hsk_reading *reading) {
    return hsk.now - reading->taken;
}

void hsk_remove(uint8_t index) {
    hsk.count--;
    if (index < hsk.numbered) hsk.numbered--;
    if (index < hsk.sent) hsk.sent--;
    struct hsk_reading *gone = hsk.queue + index;
    hsk_copy(gone, gone + 1, (uint16_t)((uint8_t)(hsk.count - index) * sizeof *gone));
}

void hsk_number(uint8_t index) {
    struct hsk_reading *reading = hsk.queue + index;
    const uint8_t alias = reading->alias;
    hsk_size room = GROUP_ROOM;
    for (; index < hsk.count; index++, reading++) {
        const hsk_size size = (hsk_size)(reading->length + READING_OVERHEAD);
        if (reading->alias != alias || !(reading->flags & HSK_RELIABLE) || size > room) break;
        room = (hsk_size)(room - size);
        hsk.numbered++;
        reading->number = hsk.next;
#if HSK_STORE
        hsk_store_number(index);
#endif
    }
    hsk.next++;
}

bool hsk_append(uint8_t alias, const void *content, uint8_t length, uint8_t quality) {
    uint8_t index = hsk.sent;
    if (length > HSK_CONTENT) return false;
    if (hsk.count == HSK_QUEUE) {
        for (; index < HSK_QUEUE; index++) {
            if (!(hsk.queue[index].flags & HSK_RELIABLE)) break;
        }
        if (index == HSK_QUEUE) return false;
        hsk_remove(index);
        hsk_count(HSK_GAVE_WAY);
    }
    struct hsk_reading *reading = hsk.queue + hsk.count++;
    reading->taken = hsk.now;
    reading->alias = alias;
    reading->flags = quality;
    reading->length = length;
    hsk_copy(reading->content, content, length);
    return true;
}
