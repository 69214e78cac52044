/* The workloads over TCP. */
#define MAX_EVENTS 256

/* tcp: CONCURRENCY connections, each with one message of SIZE bytes in flight. */

static void sendMessage(struct client *each) {
    each->startedAt = now();
    each->offset = 0;
    if (send(each->fd, message, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size)
        die("the kernel accepted only a part of a message");
}

static void tcpOpen(void) {
    for (int serial = 0; serial < concurrency; serial++) {
        if ((clients[serial].fd = openConnection(serial)) < 0) die("connection %d: no reply", serial);
        setEvents(EPOLL_CTL_ADD, clients[serial].fd, EPOLLIN, serial);
    }
}

static void tcpRun(void) {
    struct epoll_event events[MAX_EVENTS];
    int open = concurrency;
    for (int serial = 0; serial < concurrency; serial++) sendMessage(&clients[serial]);
    while (open) {
        int count = waitForEvents(events, MAX_EVENTS);
        for (int index = 0; index < count; index++) {
            struct client *each = &clients[events[index].data.u32];
            ssize_t length = recv(each->fd, received, size, MSG_DONTWAIT);
            if (length < 0 && errno == EAGAIN) continue;
            if (length <= 0) die("the server closed the connection");
            if (each->offset + length > size || memcmp(received, message + each->offset, length)) die("wrong reply");
            if ((each->offset += length) < size) continue;
            if (complete(each->startedAt, size)) sendMessage(each);
            else open--;
        }
    }
}

/* stream: CONCURRENCY connections, written to and read from at the same time, SIZE bytes per write. */

static void streamOpen(void) {
    tcpOpen();
    for (int serial = 0; serial < concurrency; serial++) clients[serial].offset = clients[serial].written = 0;
}

static void streamRun(void) {
    struct epoll_event events[MAX_EVENTS];
    int open = concurrency;
    for (int serial = 0; serial < concurrency; serial++)
        setEvents(EPOLL_CTL_MOD, clients[serial].fd, EPOLLIN | EPOLLOUT, serial);
    while (open) {
        int count = waitForEvents(events, MAX_EVENTS), more = now() < deadline && results.messages < maxMessages;
        for (int index = 0; index < count; index++) {
            int serial = (int)events[index].data.u32;
            struct client *each = &clients[serial];
            size_t start = each->written % size, from = each->offset % size;
            if (events[index].events & EPOLLOUT && (more || start)) {
                ssize_t length = send(each->fd, message + start, size - start, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (length < 0 && errno != EAGAIN) die("the server closed the connection");
                if (length > 0) each->written += length;
            }
            if (events[index].events & ~EPOLLOUT) {
                ssize_t length = recv(each->fd, received, size, MSG_DONTWAIT);
                if (length <= 0) die("the server closed the connection");
                if (memcmp(received, message + from, length)) die("wrong reply");
                each->offset += length;
                results.bytes += length;
                results.messages += (long)((from + length) / size);
            }
            if (more || each->written % size) continue;
            int incomplete = each->offset < each->written;
            setEvents(EPOLL_CTL_MOD, each->fd, incomplete ? EPOLLIN : 0, serial);
            open -= !incomplete;
        }
    }
}

/* churn: CONCURRENCY clients connect, send "1", read to the end, and close. */

static const char *request = "1", *reply = "welcome to server!";

static void startConnection(int serial) {
    static int connections;
    struct client *each = &clients[serial];
    each->startedAt = now();
    each->offset = 0;
    each->fd = openSocket(SOCK_STREAM | SOCK_NONBLOCK, connections++);
    if (connectToServer(each->fd) < 0 && errno != EINPROGRESS) die("connect: %s", strerror(errno));
    each->requestSent = !*request || send(each->fd, request, 1, MSG_NOSIGNAL) == 1;
    setEvents(EPOLL_CTL_ADD, each->fd, each->requestSent ? EPOLLIN : EPOLLOUT, serial);
}

static void churnRun(void) {
    struct epoll_event events[MAX_EVENTS];
    int open = concurrency;
    for (int serial = 0; serial < concurrency; serial++) startConnection(serial);
    while (open) {
        int count = waitForEvents(events, MAX_EVENTS);
        for (int index = 0; index < count; index++) {
            int serial = (int)events[index].data.u32;
            struct client *each = &clients[serial];
            if (!each->requestSent) {
                if (send(each->fd, request, 1, MSG_NOSIGNAL) != 1) die("connect: %s", strerror(errno));
                each->requestSent = 1;
                setEvents(EPOLL_CTL_MOD, each->fd, EPOLLIN, serial);
                continue;
            }
            ssize_t length = recv(each->fd, received, sizeof received, MSG_DONTWAIT);
            if (length < 0 && errno == EAGAIN) continue;
            if (length < 0) die("the server reset a connection");
            if (each->offset + length > strlen(reply) || memcmp(received, reply + each->offset, length))
                die("wrong reply");
            if ((each->offset += length), length) continue;
            if (each->offset != strlen(reply)) die("incomplete reply");
            close(each->fd);
            if (complete(each->startedAt, each->offset)) startConnection(serial);
            else open--;
        }
    }
}

/* greet: CONCURRENCY clients connect, read to the end, and close. */

static void greetRun(void) {
    request = "";
    reply = "connected";
    churnRun();
}

/* idle: CONCURRENCY connections are opened, one by one, and kept open. Each counts as a message. */

static void idleRun(void) {
    for (int serial = 0, more = 1; serial < concurrency && more; serial++) {
        uint64_t startedAt = now();
        if (openConnection(serial) < 0) results.lost++, more = results.lost < 10;
        else more = complete(startedAt, 1);
    }
}
