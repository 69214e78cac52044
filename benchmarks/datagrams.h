/* The workload over UDP. */

/*
 * udp: one socket, CONCURRENCY datagrams of SIZE bytes in flight. A datagram without a reply in time counts as lost, and is
 * sent again. Each starts with its slot and its serial number, which tell a late reply from the next one.
 */

#define LOSS_TIMEOUT 200000000ULL /* nanoseconds */
#define MAX_IN_FLIGHT 1024
#define MAX_DATAGRAM 2048

static void udpOpen(void) {
    clients[0].fd = openSocket(SOCK_DGRAM, 0);
    check(connectToServer(clients[0].fd));
}

static struct datagrams {
    char bytes[MAX_IN_FLIGHT][MAX_DATAGRAM];
    struct iovec buffers[MAX_IN_FLIGHT];
    struct mmsghdr messages[MAX_IN_FLIGHT];
    int count;
} out, in;

static void addToBatch(struct datagrams *batch, char *bytes, size_t length) {
    int index = batch->count++;
    batch->buffers[index] = (struct iovec){bytes, length};
    batch->messages[index] = (struct mmsghdr){.msg_hdr = {.msg_iov = &batch->buffers[index], .msg_iovlen = 1}};
}

static void queueDatagram(uint32_t slot) {
    clients[slot].startedAt = now();
    clients[slot].serial++;
    memcpy(out.bytes[slot], message, size);
    memcpy(out.bytes[slot], &slot, 4);
    memcpy(out.bytes[slot] + 4, &clients[slot].serial, 4);
    addToBatch(&out, out.bytes[slot], size);
}

static void sendQueued(void) {
    for (int first = 0, more; first < out.count; first += more)
        if ((more = sendmmsg(clients[0].fd, out.messages + first, out.count - first, 0)) < 0)
            die("send: %s", strerror(errno));
    out.count = 0;
}

/* Tells whether a datagram is the reply to one in flight. */
static int isAwaited(const char *bytes, size_t length, uint32_t *slot) {
    uint32_t serial;
    memcpy(slot, bytes, 4);
    memcpy(&serial, bytes + 4, 4);
    if (length != size || *slot >= (uint32_t)concurrency || memcmp(bytes + 8, message + 8, size - 8))
        die("wrong reply");
    return serial == clients[*slot].serial && clients[*slot].startedAt;
}

static void udpRun(void) {
    uint64_t lastReplyAt = now(), checkedAt = lastReplyAt;
    struct pollfd readable = {.fd = clients[0].fd, .events = POLLIN};
    int open = concurrency;
    for (in.count = 0; in.count < concurrency;) addToBatch(&in, in.bytes[in.count], MAX_DATAGRAM);
    for (int slot = 0; slot < concurrency; slot++) queueDatagram(slot);
    for (sendQueued(); open; sendQueued()) {
        check(poll(&readable, 1, 50));
        int count = recvmmsg(clients[0].fd, in.messages, concurrency, MSG_DONTWAIT, NULL);
        if (count < 0 && errno != EAGAIN) die("receive: %s", strerror(errno));
        uint64_t time = now();
        if (count > 0) lastReplyAt = time;
        for (int index = 0; index < count; index++) {
            uint32_t slot;
            if (!isAwaited(in.bytes[index], in.messages[index].msg_len, &slot)) continue;
            uint64_t startedAt = clients[slot].startedAt;
            clients[slot].startedAt = 0;
            if (complete(startedAt, size)) queueDatagram(slot);
            else open--;
        }
        if (time - lastReplyAt > TIMEOUT * 1000000000ULL) die("no reply within %d s", TIMEOUT);
        if (time - checkedAt < LOSS_TIMEOUT / 4) continue;
        checkedAt = time;
        for (int slot = 0; slot < concurrency; slot++)
            if (clients[slot].startedAt && time > clients[slot].startedAt + LOSS_TIMEOUT)
                results.lost++, queueDatagram(slot);
    }
}
