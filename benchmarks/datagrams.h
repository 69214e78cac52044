/* The workloads over UDP. */

/*
 * udp: SOURCES sockets, and CONCURRENCY datagrams of SIZE bytes in flight, the same number on each socket.
 * sources: one socket sends each datagram from the next one of SOURCES addresses of 127.0.0.0/8.
 *
 * A datagram without a reply in time counts as lost, and is sent again. Each starts with its slot and its serial number,
 * which tell a late reply from the next one.
 */

#define LOSS_TIMEOUT 200000000ULL /* nanoseconds */
#define MAX_IN_FLIGHT 1024
#define MAX_DATAGRAM 2048

static int sources;         /* sockets, or source addresses */
static int isFromAddresses; /* whether the workload is "sources" */
static int datagramSockets[MAX_IN_FLIGHT], socketCount;
static struct sockaddr_in server;

static struct datagrams {
    char bytes[MAX_IN_FLIGHT][MAX_DATAGRAM];
    struct iovec buffers[MAX_IN_FLIGHT];
    struct mmsghdr messages[MAX_IN_FLIGHT];
    struct control {
        struct cmsghdr header;
        struct in_pktinfo addresses;
    } controls[MAX_IN_FLIGHT];
    int count;
} out, in;

static void udpOpen(void) {
    socketCount = isFromAddresses ? 1 : sources;
    server = loopback(0, port);
    for (int index = 0; index < socketCount; index++) {
        int fd = datagramSockets[index] = openSocket(SOCK_DGRAM, index);
        if (isFromAddresses) {
            struct sockaddr_in any = {.sin_family = AF_INET};
            close(fd);
            check(fd = datagramSockets[index] = socket(AF_INET, SOCK_DGRAM, 0));
            check(bind(fd, (struct sockaddr *)&any, sizeof any));
        } else check(connectToServer(fd));
        setEvents(EPOLL_CTL_ADD, fd, EPOLLIN, index);
    }
}

static void addToBatch(struct datagrams *batch, char *bytes, size_t length) {
    int index = batch->count++;
    batch->buffers[index] = (struct iovec){bytes, length};
    batch->messages[index] = (struct mmsghdr){.msg_hdr = {.msg_iov = &batch->buffers[index], .msg_iovlen = 1}};
}

/* Sets the source address of a datagram (IP_PKTINFO, ip(7)) to the next one, from 127.1.0.0 on. */
static void setSource(struct datagrams *batch, int index) {
    static uint32_t next;
    struct msghdr *header = &batch->messages[index].msg_hdr;
    struct control *control = &batch->controls[index];
    control->header = (struct cmsghdr){CMSG_LEN(sizeof control->addresses), IPPROTO_IP, IP_PKTINFO};
    control->addresses.ipi_spec_dst.s_addr = htonl(0x7f010000 + next++ % (uint32_t)sources);
    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(sizeof control->addresses);
    header->msg_name = &server;
    header->msg_namelen = sizeof server;
}

static void queueDatagram(uint32_t slot) {
    clients[slot].startedAt = now();
    clients[slot].serial++;
    memcpy(out.bytes[slot], message, size);
    memcpy(out.bytes[slot], &slot, 4);
    memcpy(out.bytes[slot] + 4, &clients[slot].serial, 4);
    addToBatch(&out, out.bytes[slot], size);
    if (isFromAddresses) setSource(&out, out.count - 1);
}

static void sendQueued(int fd) {
    for (int first = 0, more; first < out.count; first += more)
        if ((more = sendmmsg(fd, out.messages + first, out.count - first, 0)) < 0) die("send: %s", strerror(errno));
    out.count = 0;
}

/* Queues the datagrams of one socket: each slot belongs to one. */
static void queueSlots(int index, uint64_t sentBefore) {
    for (int slot = index; slot < concurrency; slot += socketCount)
        if (!sentBefore) queueDatagram(slot);
        else if (clients[slot].startedAt && clients[slot].startedAt < sentBefore) results.lost++, queueDatagram(slot);
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

/* Receives replies, and queues the next datagrams. Returns how many datagrams are not to be followed by another one. */
static int receiveReplies(int fd) {
    int ended = 0, count = recvmmsg(fd, in.messages, in.count, MSG_DONTWAIT, NULL);
    if (count < 0 && errno != EAGAIN) die("receive: %s", strerror(errno));
    for (int index = 0; index < count; index++) {
        uint32_t slot;
        if (!isAwaited(in.bytes[index], in.messages[index].msg_len, &slot)) continue;
        uint64_t startedAt = clients[slot].startedAt;
        clients[slot].startedAt = 0;
        if (complete(startedAt, size)) queueDatagram(slot);
        else ended++;
    }
    return ended;
}

static void udpRun(void) {
    struct epoll_event events[MAX_IN_FLIGHT];
    uint64_t lastReplyAt = now(), checkedAt = lastReplyAt;
    int open = concurrency;
    for (in.count = 0; in.count < (concurrency + socketCount - 1) / socketCount;)
        addToBatch(&in, in.bytes[in.count], MAX_DATAGRAM);
    for (int index = 0; index < socketCount; index++) queueSlots(index, 0), sendQueued(datagramSockets[index]);
    while (open) {
        int count = epoll_wait(epollFd, events, MAX_IN_FLIGHT, 50);
        check(count);
        for (int index = 0; index < count; index++) {
            int fd = datagramSockets[events[index].data.u32];
            open -= receiveReplies(fd);
            sendQueued(fd);
        }
        uint64_t time = now();
        if (count > 0) lastReplyAt = time;
        if (time - lastReplyAt > TIMEOUT * 1000000000ULL) die("no reply within %d s", TIMEOUT);
        if (time - checkedAt < LOSS_TIMEOUT / 4) continue;
        checkedAt = time;
        for (int index = 0; index < socketCount; index++)
            queueSlots(index, time - LOSS_TIMEOUT), sendQueued(datagramSockets[index]);
    }
}
