/* The workloads over connections. */
#define EVENTS 256

/* tcp: WIDTH connections, on each of them one message of SIZE bytes at a time. */

static void say(struct caller *each) {
    each->began = now();
    each->offset = 0;
    if (send(each->fd, sent, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size) die("a message was not taken whole");
}

static void tcpOpen(void) {
    for (int serial = 0; serial < width; serial++) {
        if ((callers[serial].fd = call(serial)) < 0) die("connection %d: no answer", serial);
        watch(EPOLL_CTL_ADD, callers[serial].fd, EPOLLIN, serial);
    }
}

static void tcpRun(void) {
    struct epoll_event events[EVENTS];
    int open = width;
    for (int serial = 0; serial < width; serial++) say(&callers[serial]);
    while (open) {
        int count = ready(events, EVENTS);
        for (int index = 0; index < count; index++) {
            struct caller *each = &callers[events[index].data.u32];
            ssize_t length = recv(each->fd, got, size, MSG_DONTWAIT);
            if (length < 0 && errno == EAGAIN) continue;
            if (length <= 0) die("the server hung up");
            if (each->offset + length > size || memcmp(got, sent + each->offset, length)) die("a wrong answer");
            if ((each->offset += length) < size) continue;
            if (answered(each->began, size)) say(each);
            else open--;
        }
    }
}

/* stream: WIDTH connections, each written to and read from at the same time, SIZE bytes a write. */

static void streamOpen(void) {
    tcpOpen();
    for (int serial = 0; serial < width; serial++) callers[serial].offset = callers[serial].written = 0;
}

static void streamRun(void) {
    struct epoll_event events[EVENTS];
    int open = width;
    for (int serial = 0; serial < width; serial++) watch(EPOLL_CTL_MOD, callers[serial].fd, EPOLLIN | EPOLLOUT, serial);
    while (open) {
        int count = ready(events, EVENTS), more = now() < until && done.messages < limit;
        for (int index = 0; index < count; index++) {
            int serial = (int)events[index].data.u32;
            struct caller *each = &callers[serial];
            size_t start = each->written % size, from = each->offset % size;
            if (events[index].events & EPOLLOUT && (more || start)) {
                ssize_t length = send(each->fd, sent + start, size - start, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (length < 0 && errno != EAGAIN) die("the server hung up");
                if (length > 0) each->written += length;
            }
            if (events[index].events & ~EPOLLOUT) {
                ssize_t length = recv(each->fd, got, size, MSG_DONTWAIT);
                if (length <= 0) die("the server hung up");
                if (memcmp(got, sent + from, length)) die("a wrong answer");
                each->offset += length;
                done.bytes += length;
                done.messages += (long)((from + length) / size);
            }
            if (more || each->written % size) continue;
            int owed = each->offset < each->written;
            watch(EPOLL_CTL_MOD, each->fd, owed ? EPOLLIN : 0, serial);
            open -= !owed;
        }
    }
}

/* churn: WIDTH at a time connect, send "1", read to the end, close. */

static const char WELCOME[] = "welcome to server!";

static void visit(int serial) {
    static int visits;
    struct caller *each = &callers[serial];
    each->began = now();
    each->offset = 0;
    each->fd = caller(SOCK_STREAM | SOCK_NONBLOCK, visits++);
    if (reach(each->fd) < 0 && errno != EINPROGRESS) die("connect: %s", strerror(errno));
    each->turn = send(each->fd, "1", 1, MSG_NOSIGNAL) == 1;
    watch(EPOLL_CTL_ADD, each->fd, each->turn ? EPOLLIN : EPOLLOUT, serial);
}

static void churnRun(void) {
    struct epoll_event events[EVENTS];
    int open = width;
    for (int serial = 0; serial < width; serial++) visit(serial);
    while (open) {
        int count = ready(events, EVENTS);
        for (int index = 0; index < count; index++) {
            int serial = (int)events[index].data.u32;
            struct caller *each = &callers[serial];
            if (!each->turn) {
                if (send(each->fd, "1", 1, MSG_NOSIGNAL) != 1) die("connect: %s", strerror(errno));
                each->turn = 1;
                watch(EPOLL_CTL_MOD, each->fd, EPOLLIN, serial);
                continue;
            }
            ssize_t length = recv(each->fd, got, sizeof got, MSG_DONTWAIT);
            if (length < 0 && errno == EAGAIN) continue;
            if (length < 0) die("the server reset a connection");
            if (each->offset + length >= sizeof WELCOME || memcmp(got, WELCOME + each->offset, length)) die("a wrong answer");
            if ((each->offset += length), length) continue;
            if (each->offset != sizeof WELCOME - 1) die("a short answer");
            close(each->fd);
            if (answered(each->began, each->offset)) visit(serial);
            else open--;
        }
    }
}

/* idle: WIDTH connections are opened, one by one, and kept. A message is a connection. */

static void idleRun(void) {
    for (int serial = 0, more = 1; serial < width && more; serial++) {
        uint64_t began = now();
        if (call(serial) < 0) done.lost++, more = done.lost < 10;
        else more = answered(began, 1);
    }
}
