#define _GNU_SOURCE
#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* How often to look whether somebody has opened the device; so long too he has to set it to raw mode. */
#define LOOK_MS 20

int64_t line_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* The slave is closed here, so that reading the master fails until somebody opens the device. */
static void open_device(struct line *line) {
    char name[64];
    char fresh[256];
    int slave;
    struct termios raw;
    if (openpty(&line->master, &slave, name, NULL, NULL) != 0) fail("openpty");
    tcgetattr(slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    close(slave);
    fcntl(line->master, F_SETFL, O_NONBLOCK);
    fcntl(line->master, F_SETFD, FD_CLOEXEC);
    snprintf(fresh, sizeof fresh, "%s.new", line->path);
    unlink(fresh);
    if (symlink(name, fresh) != 0 || rename(fresh, line->path) != 0) fail(line->path);
    line->opened = false;
}

void line_plug(struct line *line, const char *path, uint32_t seed) {
    memset(line, 0, sizeof *line);
    line->path = path;
    line->chance = seed;
    open_device(line);
}

void line_unplug(struct line *line) {
    unlink(line->path);
    close(line->master);
}

static bool happens(struct line *line, unsigned permille) {
    line->chance = line->chance * 1664525u + 1013904223u;
    return (line->chance >> 8) % 1000 < permille;
}

static void damage(struct line *line, uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (happens(line, line->noise)) bytes[i] ^= (uint8_t)(1u << (line->chance >> 28 & 7));
    }
}

size_t line_read(struct line *line, uint8_t *bytes, size_t room) {
    if (!line->opened) {
        int64_t now = line_now();
        if (now - line->looked_at < LOOK_MS) return 0;
        line->looked_at = now;
    }
    ssize_t count = read(line->master, bytes, room);
    if (count < 0 && errno == EIO && line->opened) {
        /* Its user has closed it: a fresh one takes its place, with no lock and no stale byte. */
        close(line->master);
        open_device(line);
    } else if (count >= 0 || errno == EAGAIN) {
        line->opened = true;
    }
    if (count <= 0 || line->cut) return 0;
    damage(line, bytes, (size_t)count);
    return (size_t)count;
}

void line_write(struct line *line, const uint8_t *bytes, size_t length) {
    uint8_t copy[256];
    if (!line->opened || line->cut) return;
    while (length) {
        size_t part = length < sizeof copy ? length : sizeof copy;
        memcpy(copy, bytes, part);
        damage(line, copy, part);
        /* What the driver has no room for is lost as well. */
        if (write(line->master, copy, part) < 0) return;
        bytes += part;
        length -= part;
    }
}
