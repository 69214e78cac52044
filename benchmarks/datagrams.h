/* The workload over datagrams. */

/* udp: one socket, WIDTH datagrams of SIZE bytes in flight; what is not answered in time counts as lost, and is sent again. */

#define LOST 200000000ULL /* nanoseconds */
#define FLIGHT 1024
#define DATAGRAM 2048

static void udpOpen(void) {
    callers[0].fd = caller(SOCK_DGRAM, 0);
    check(reach(callers[0].fd));
}

static struct datagrams {
    char bytes[FLIGHT][DATAGRAM];
    struct iovec room[FLIGHT];
    struct mmsghdr messages[FLIGHT];
    int count;
} out, in;

static void add(struct datagrams *batch, char *bytes, size_t length) {
    int index = batch->count++;
    batch->room[index] = (struct iovec){bytes, length};
    batch->messages[index] = (struct mmsghdr){.msg_hdr = {.msg_iov = &batch->room[index], .msg_iovlen = 1}};
}

static void launch(uint32_t slot) {
    callers[slot].began = now();
    callers[slot].turn++;
    memcpy(out.bytes[slot], sent, size);
    memcpy(out.bytes[slot], &slot, 4);
    memcpy(out.bytes[slot] + 4, &callers[slot].turn, 4);
    add(&out, out.bytes[slot], size);
}

static void sendOff(void) {
    for (int first = 0, more; first < out.count; first += more)
        if ((more = sendmmsg(callers[0].fd, out.messages + first, out.count - first, 0)) < 0) die("send: %s", strerror(errno));
    out.count = 0;
}

/* Whether a datagram answers one that is still waited for. */
static int answers(const char *bytes, size_t length, uint32_t *slot) {
    uint32_t turn;
    memcpy(slot, bytes, 4);
    memcpy(&turn, bytes + 4, 4);
    if (length != size || *slot >= (uint32_t)width || memcmp(bytes + 8, sent + 8, size - 8)) die("a wrong answer");
    return turn == callers[*slot].turn && callers[*slot].began;
}

static void udpRun(void) {
    uint64_t heard = now(), swept = heard;
    struct pollfd readable = {.fd = callers[0].fd, .events = POLLIN};
    int open = width;
    for (in.count = 0; in.count < width;) add(&in, in.bytes[in.count], DATAGRAM);
    for (int slot = 0; slot < width; slot++) launch(slot);
    for (sendOff(); open; sendOff()) {
        check(poll(&readable, 1, 50));
        int count = recvmmsg(callers[0].fd, in.messages, width, MSG_DONTWAIT, NULL);
        if (count < 0 && errno != EAGAIN) die("receive: %s", strerror(errno));
        uint64_t time = now();
        if (count > 0) heard = time;
        for (int index = 0; index < count; index++) {
            uint32_t slot;
            if (!answers(in.bytes[index], in.messages[index].msg_len, &slot)) continue;
            uint64_t began = callers[slot].began;
            callers[slot].began = 0;
            if (answered(began, size)) launch(slot);
            else open--;
        }
        if (time - heard > PATIENCE * 1000000000ULL) die("no answer within %d s", PATIENCE);
        if (time - swept < LOST / 4) continue;
        swept = time;
        for (int slot = 0; slot < width; slot++)
            if (callers[slot].began && time > callers[slot].began + LOST) done.lost++, launch(slot);
    }
}
