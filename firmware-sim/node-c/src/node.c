/* The session of a node: clauses 5 and 6. */
#include "internal.h"

#define FIRST_TIMEOUT 1000u /* before any round trip is known, RFC 6298 */
#define LEAST_TIMEOUT 50u
#define MOST_TIMEOUT 10000u
#define MOST_SAMPLE 4000
#define CONNECT_EVERY 4 /* 256 ms: clauses 5.3.6 and 6.5.4 say a second */
#define NONE_YET 255 /* doublings before the first sending, which expire() counts like an expiry */
#define FULL_CREDIT 127
#define REPEATS_THAT_TELL_OF_LOSS 2

#if HSK_MANY
struct hsk_node *hsk_current;
#else
struct hsk_node hsk;
#endif

/* ---- Time ---- */

static uint16_t now(void) {
    return (uint16_t)hsk.now;
}

static bool due(uint16_t at) {
    return (int16_t)(now() - at) >= 0;
}

static void refresh(void) {
    hsk.now = hsk_port_ms();
#if HSK_STORE
    hsk.now += hsk.clock_offset;
#endif
    if (due(hsk.line_free)) hsk.line_free = now();
}

/* The retransmission timer, clause 6.3.2. */
static uint16_t timeout(void) {
    uint16_t time = (uint16_t)((hsk.round_trip >> 3) + hsk.variation);
    if (time < LEAST_TIMEOUT) time = LEAST_TIMEOUT;
    for (uint8_t i = hsk.doublings; i; i--) {
        time = (uint16_t)(time << 1);
        if (time > MOST_TIMEOUT) return MOST_TIMEOUT;
    }
    return time;
}

static void arm(void) {
    hsk.deadline = (uint16_t)(hsk.line_free + timeout());
}

/* An eighth of the difference for the mean and a quarter for the variation, RFC 6298. */
static void measure(void) {
    int16_t sample = (int16_t)(now() - hsk.timed_at);
    /* The ACK came before the last byte was thought to have left; or so late that the sums would run over. */
    if (sample < 0) sample = 0;
    if (sample > MOST_SAMPLE) sample = MOST_SAMPLE;
    /* The first one takes the place of the guess. */
    if (hsk.round_trip == 0) hsk.variation = 0;
    sample = (int16_t)(sample - (int16_t)(hsk.round_trip >> 3));
    hsk.round_trip = (uint16_t)(hsk.round_trip + (uint16_t)sample);
    if (sample < 0) sample = (int16_t)-sample;
    hsk.variation = (uint16_t)(hsk.variation - (hsk.variation >> 2) + (uint16_t)sample);
}

/* ---- Sending ---- */

/* Messages in flight. */
static uint8_t flight(void) {
    return (uint8_t)(hsk.next - 1 - hsk.acknowledged);
}

static bool waits(void) {
#if HSK_DECLARE
    if (hsk.flags & SUBSCRIBING) return true;
#endif
    return flight() != 0;
}

static void send_ack(void) {
    hsk.flags &= (uint8_t)~ACK_DUE;
    hsk_begin(hsk.granted ? KIND_ACK | 1 : KIND_ACK);
    hsk_put((uint8_t)hsk.received);
    if (hsk.granted) hsk_put((uint8_t)(hsk.granted - 1));
    hsk_end();
}

/* `first` is KIND_RESUME, with bit 0 for an answer. */
static void send_resume(uint8_t first) {
    hsk_begin(first);
    hsk_put_bytes(hsk.session_id + 6, 2);
    hsk_put((uint8_t)hsk.received);
    hsk_end();
}

static void send_ping(uint8_t first, uint8_t echo) {
    hsk_begin(first);
    hsk_put(echo);
    hsk_end();
}

/* Sends the oldest message in flight again. */
static void resend(void) {
    hsk.flags &= (uint8_t)~TIMING;
    hsk_count(HSK_RESENT);
#if HSK_DECLARE
    if (hsk.flags & SUBSCRIBING) hsk_put_subscribe();
    if (hsk.numbered == 0) return;
#endif
    hsk_put_readings(0);
}

/* A message in flight was lost. */
static void lost(void) {
    hsk.recover = (uint8_t)(hsk.next - 1);
    resend();
}

/* Whether one more message may go: credit (6.4) and window (6.3.3). */
static bool may_send(void) {
    uint8_t ahead = flight();
    if (ahead >= hsk.credit) return false;
#if HSK_QUEUE * (HSK_CONTENT + 8L) > HSK_BAUD / 100
    if (ahead) {
        uint16_t bytes = 0;
        uint16_t round_trip = (uint16_t)(hsk.round_trip >> 3);
        for (uint8_t i = 0; i < hsk.numbered; i++) bytes = (uint16_t)(bytes + hsk.queue[i].length + 8);
        return LINE_MS(bytes) <= (round_trip > 100 ? round_trip : 100);
    }
#endif
    return true;
}

static void pump(void) {
    if (hsk.state != HSK_UP || hsk.flags & (HANDLING | ASLEEP)) return;
    while (hsk.sent < hsk.count) {
        struct hsk_reading *reading = hsk.queue + hsk.sent;
        if (!(reading->flags & HSK_RELIABLE)) {
            if (hsk_age(reading) <= OLD) {
                hsk_put_readings(hsk.sent);
                hsk_remove(hsk.sent);
                continue;
            }
            /* An old one can only go as a batch, which is reliable. */
            reading->flags = HSK_RELIABLE;
#if HSK_STORE
            hsk_store_reading(hsk.sent);
#endif
        }
        bool fresh = hsk.sent == hsk.numbered;
        if (fresh) {
            if (!may_send()) return;
            hsk_number(hsk.sent);
        }
        hsk.sent = (uint8_t)(hsk.sent + hsk_put_readings(hsk.sent));
        if (!fresh) continue;
        if (flight() == 1) {
            hsk.flags |= TIMING;
            hsk.timed_at = hsk.line_free;
            arm();
        }
    }
}

/* ---- Being acknowledged ---- */

/* False when that number is neither the last one acknowledged nor in flight. */
static bool acknowledge(uint8_t id8) {
    uint8_t number = (uint8_t)(id8 + hsk.base);
    uint8_t forward = (uint8_t)(number - hsk.acknowledged);
    uint8_t ahead = flight();
    if (forward > ahead) return false;
#if HSK_DECLARE
    if (number != hsk.base) hsk.flags &= (uint8_t)~SUBSCRIBING;
#endif
    if (forward == 0) {
        if (ahead && ++hsk.repeats == REPEATS_THAT_TELL_OF_LOSS) lost();
        return true;
    }
    hsk.acknowledged = number;
    hsk.doublings = 0;
    hsk.repeats = 0;
    while (hsk.numbered && (int8_t)(number - hsk.queue->number) >= 0) {
        bool accepted = !(hsk.queue->flags & REJECTED);
        hsk_count(accepted ? HSK_ACKNOWLEDGED : HSK_REJECTED);
        hsk_on_settled(hsk.queue, accepted);
        hsk_remove(0);
    }
    if (hsk.flags & TIMING) {
        hsk.flags &= (uint8_t)~TIMING;
        measure();
    }
    if ((int8_t)(number - hsk.recover) < 0) resend();
    else hsk.recover = number;
    arm();
    return true;
}

static void reject(uint8_t id8) {
    for (uint8_t i = 0; i < hsk.numbered; i++) {
        if ((uint8_t)(hsk.queue[i].number - hsk.base) == id8) hsk.queue[i].flags |= REJECTED;
    }
}

/* ---- Connecting and resuming ---- */

/* `pause` in 256 ms. */
static void SELDOM_INLINE wait_in(uint8_t state, uint8_t pause) {
    hsk.state = state;
    hsk.deadline = (uint16_t)(now() + (uint16_t)(pause << 8));
}

/* The session is in force on this link: both sides send again what is not acknowledged. */
static void go_up(void) {
    hsk_count(HSK_CONNECTS);
    hsk.state = HSK_UP;
    hsk.sent = 0;
    hsk.flags &= (uint8_t)~TIMING;
    hsk.recover = hsk.acknowledged;
    hsk.doublings = 0;
    hsk.repeats = 0;
#if HSK_DECLARE
    if (hsk.flags & SUBSCRIBING) hsk_put_subscribe();
#endif
    arm();
}

/* `id8` is of the last message that the gateway has. Where that cannot be it has lost state (6.5.6), and only a new session brings the two together. */
static void go_on(uint8_t id8) {
    go_up();
    if (acknowledge(id8)) return;
    hsk_put_disconnect();
    wait_in(HSK_CONNECTING, 0);
}

/* No context there: CONNECT_RESUME, but never more than one a second, clause 6.5.4. */
static void rejoin(void) {
    hsk_count(HSK_RESETS);
    wait_in(HSK_REJOINING, CONNECT_EVERY);
}

static void connected(void) {
    /* Clause 5.3.6: one that answers a repeated CONNECT_TOKEN only changes the name of the session. */
    if (hsk.state == HSK_CONNECTING) {
        uint8_t first = hsk.numbered ? hsk.queue->number : hsk.next;
#if HSK_DECLARE
        if (flash_byte(&hsk.config->filter_count)) {
            hsk.flags |= SUBSCRIBING;
            if (first == hsk.next) hsk.next++;
            else first--;
        }
#endif
        hsk.base = (uint8_t)(first - 1);
        hsk.acknowledged = hsk.base;
        hsk.received = 0;
        hsk.credit = FULL_CREDIT;
        hsk.granted = 0;
        go_up();
    }
#if HSK_STORE
    hsk_store_session();
#endif
}

/* ---- Being commanded ---- */

/* Of a number, its low byte tells whether it is the next: 127 are in flight at most, clause 6.2.1. */
static void deliver(bool numbered, uint8_t id8, bool for_application) {
    if (!numbered) {
        (void)hsk_on_command(&hsk.command);
    } else if (id8 == (uint8_t)(hsk.received + 1)) {
        hsk.flags |= ACK_DUE;
        if (!for_application || hsk_on_command(&hsk.command)) {
            hsk.received++;
#if HSK_STORE
            hsk_store_received();
#endif
        } else {
            hsk.granted = 1;
        }
    } else {
        /* A repetition, or out of order: the gateway shall know at once, clause 6.3.1. */
        send_ack();
    }
}

static bool short_publish(const uint8_t *at, hsk_size length) {
    const uint8_t *end = at + length;
    uint8_t kind = *at & 0xF0;
    uint8_t alias = *at++ & 15;
    uint8_t id8 = 0;
    /* The CRC and two bytes more stand behind the frame, so it does no harm to look at its end only afterwards. */
    if (alias == 15) alias = *at++;
    if (kind != KIND_PUBLISH) id8 = *at++;
    if (kind == KIND_BATCH) {
        /* Clause 6.1.6: the gateway's batch holds one message. Its age is passed over. */
        if (*at++ != 1) return false;
        const uint8_t *age = at;
        while (at < end && *at++ & 0x80) {}
#if HSK_STRICT
        /* 32 bits, in the shortest form. */
        if (at - age > 5 || (at - age == 5 && at[-1] > 15) || (at - age > 1 && at[-1] == 0)) return false;
#else
        (void)age;
#endif
#if HSK_DECLARE
        if (hsk_sized(alias)) {
            uint16_t size = *at & 0x7F;
            if (*at++ & 0x80) size |= (uint16_t)(*at++ << 7);
            if (size != (uint16_t)(end - at)) return false;
        }
#endif
    }
    if (at > end) return false;
    hsk.command.topic = NULL;
    hsk.command.alias = alias;
    hsk.command.content = at;
    hsk.command.length = (hsk_size)(end - at);
    deliver(kind != KIND_PUBLISH, id8, true);
    return true;
}

/* ---- Frames ---- */

static void resumed(const uint8_t *frame) {
    if (frame[1] != hsk.session_id[6] || frame[2] != hsk.session_id[7]) {
        rejoin();
        return;
    }
    uint8_t id8 = frame[3];
    if (frame[0] & 1) {
        /* An answer for which nobody waits: the one before it did. */
        if (hsk.state != HSK_RESUMING) return;
    } else {
        send_resume(KIND_RESUME | 1);
    }
    go_on(id8);
}

#if HSK_FRAGMENTS
/* Clause 6.6: the pieces are joined at the beginning of the buffer, before the frame that comes. Gives the length once the last one has come, else 0. */
static bool join(const uint8_t *frame, hsk_size length, hsk_size *whole) {
    bool last = frame[0] & 1;
    bool follows = hsk.joined && frame[1] == hsk.piece_id && frame[2] == hsk.piece_index;
    *whole = 0;
    if (length >= 3 && frame[2] == 0) hsk.joined = 0;
    else if (length < 3 || !follows) {
        hsk.joined = 0;
        return false;
    }
    hsk.piece_id = frame[1];
    hsk.piece_index = (uint8_t)(frame[2] + 1);
    length = (hsk_size)(length - 3);
    memmove(hsk.frame + hsk.joined, frame + 3, length);
    hsk.joined = (hsk_size)(hsk.joined + length);
    if (!last) return true;
    *whole = hsk.joined;
    hsk.joined = 0;
    /* A fragment does not stand in fragments. */
    return *whole != 0 && (hsk.frame[0] & 0xF0) != KIND_FRAGMENT;
}
#endif

static bool short_form(uint8_t *frame, hsk_size length) {
    uint8_t low = frame[0] & 15;
    /* Of what a session says, nothing is heard before there is one. */
    if (hsk.state < HSK_RESUMING) return true;
    switch (frame[0] & 0xF0) {
        case KIND_ACK:
            if (length != (hsk_size)((low & 1) + 2)) return false;
            if (low & 2) break;
            if (low & 1) hsk.credit = frame[2];
            (void)acknowledge(frame[1]);
            break;
        case KIND_PING:
            if (length != 2) return false;
            if (!(low & 1)) send_ping(KIND_PING | 1, frame[1]);
            break;
        case KIND_RESET:
            if (length != 1) return false;
            rejoin();
            break;
        case KIND_RESUME:
            if (length != 4) return false;
            resumed(frame);
            break;
        case KIND_FRAGMENT:
            return false;
        default:
            return short_publish(frame, length);
    }
    return true;
}

static bool long_form(uint8_t *frame, hsk_size length) {
    struct hsk_message message;
    if (!hsk_read_message(&message, frame, length)) return false;
    uint8_t type = message.type;
    uint8_t state = hsk.state;
    if (type == CONNACK_SUCCESS) {
        connected();
    } else if (state < HSK_RESUMING) {
        if (type == CONNACK_RESUMED && state == HSK_REJOINING) {
            go_on(message.id8);
        } else if (type == CONNACK_FAILED_SESSION_EXPIRED && state == HSK_REJOINING) {
            /* Clause 5.4.3: only what never arrived is sent again in the session that follows. */
            if (message.numbered) (void)acknowledge(message.id8);
            wait_in(HSK_CONNECTING, 0);
        } else if ((type & 0xF0) == CONNACK_FAILED) {
            wait_in(state, message.pause);
        }
    } else if (type == PUBLISH || (message.numbered && type >= PRESENCE_JOINED)) {
        /* PRESENCE_* and ALIAS mean nothing to a node, but have a number all the same. */
        deliver(message.numbered, message.id8, type == PUBLISH);
    } else if (type == REJECTED_MESSAGE) {
        reject(message.id8);
    } else if (type == DISCONNECT) {
        /* Whether the session is over (5.7.3) is what RESUME finds out. */
        wait_in(HSK_RESUMING, CONNECT_EVERY);
    }
    return true;
}

bool hsk_frame(uint8_t *frame, hsk_size length) {
#if HSK_FRAGMENTS
    if ((frame[0] & 0xF0) == KIND_FRAGMENT) {
        if (!join(frame, length, &length)) return false;
        if (length == 0) return true;
        frame = hsk.frame;
    }
#endif
    return frame[0] & 0x80 ? short_form(frame, length) : long_form(frame, length);
}

/* ---- What the application calls ---- */

void hsk_start(const struct hsk_config *config) {
#if HSK_MANY
    memset(&hsk, 0, sizeof hsk);
#endif
    hsk.config = config;
    hsk.variation = FIRST_TIMEOUT;
#if HSK_STORE
    hsk.credit = FULL_CREDIT;
    /* What was granted before the reset may have been nothing. */
    hsk.granted = FULL_CREDIT + 1;
    if (hsk_restore()) hsk.state = HSK_RESUMING;
    hsk.doublings = NONE_YET;
#endif
    refresh();
    hsk.line_free = now();
    hsk.deadline = now();
}

/* What the state waits for has not come. */
static void expire(void) {
    if (hsk.state < HSK_RESUMING) {
        if (hsk.state == HSK_CONNECTING) hsk_put_token();
        else hsk_put_resume();
        wait_in(hsk.state, CONNECT_EVERY);
        return;
    }
    if (hsk.state == HSK_RESUMING) {
        send_resume(KIND_RESUME);
    } else if (waits()) {
        hsk.repeats = 0;
        lost();
    } else if (hsk.credit == 0 && hsk.count) {
        /* Credit 0 is probed with one message, clause 6.4.1. */
        hsk.credit = 1;
    } else {
        hsk.doublings = 0;
        return;
    }
    /* It wraps: every three quarters of an hour of silence the steps begin anew. */
    hsk.doublings++;
    arm();
}

void hsk_poll(void) {
    int byte;
    refresh();
    if (hsk.flags & ASLEEP) return;
    while ((byte = hsk_port_read()) >= 0) hsk_unstuff((uint8_t)byte);
    if (due(hsk.deadline)) expire();
    if (hsk.state < HSK_RESUMING) return;
    if (hsk.flags & ACK_DUE) send_ack();
    pump();
    if (hsk.keep_alive) {
        /* Twice as often as is asked for: one may be lost. */
        uint16_t silence = (uint16_t)(hsk_slow_clock() - hsk.spoke_at);
        if (silence > hsk.keep_alive >> 1) send_ping(KIND_PING, 0);
    }
}

bool hsk_publish(uint8_t alias, const void *content, uint8_t length, uint8_t quality) {
    refresh();
    if (!hsk_append(alias, content, length, quality)) {
        hsk_count(HSK_REFUSED);
        return false;
    }
#if HSK_STORE
    if (quality == HSK_RELIABLE) hsk_store_reading((uint8_t)(hsk.count - 1));
#endif
    pump();
    return true;
}

void hsk_sleep(void) {
    hsk.flags |= ASLEEP;
}

void hsk_wake(bool resume) {
    hsk.flags &= (uint8_t)~(ASLEEP | SKIPPING);
    hsk.code = 0;
    hsk.left = 0;
    hsk.length = 0;
#if HSK_FRAGMENTS
    hsk.joined = 0;
#endif
    refresh();
    hsk.line_free = now();
    hsk.deadline = now();
    hsk.doublings = NONE_YET;
    if (resume && hsk.state == HSK_UP) hsk.state = HSK_RESUMING;
}

void hsk_ready(void) {
    if (hsk.granted != 1) return;
    hsk.granted = FULL_CREDIT + 1;
    hsk.flags |= ACK_DUE;
}

enum hsk_state hsk_state(void) {
    return hsk.flags & ASLEEP ? HSK_ASLEEP : (enum hsk_state)hsk.state;
}

bool hsk_idle(void) {
    return hsk.state == HSK_UP && hsk.count == 0 && !(hsk.flags & (ACK_DUE | SUBSCRIBING));
}

uint8_t hsk_waiting(void) {
    return hsk.count;
}
