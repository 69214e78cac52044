/*
 * The reference server: one thread, epoll, and one recv and one send per message.
 *
 * echo tcp|udp|welcome|greet WORKERS prints "PORT n", its port on 127.0.0.1. Several workers are processes, each with a
 * socket of its own, bound to the same port by SO_REUSEPORT.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_EVENTS 256
#define MAX_DESCRIPTORS (1 << 20)
#define MAX_READ (64 << 10)
#define MAX_WORKERS 64
#define check(result) ((result) < 0 ? (perror(#result), exit(1)) : (void)0)

/* By descriptor: the data that the kernel has not accepted yet. While there is some, the connection is not read. */
static struct pending { char *bytes; size_t length; } *pending;
static int epollFd;
static char buffer[MAX_READ];
static const char WELCOME[] = "welcome to server!", GREETING[] = "connected";

static void setEvents(int operation, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    check(epoll_ctl(epollFd, operation, fd, &event));
}

static void closeConnection(int fd) {
    free(pending[fd].bytes);
    pending[fd] = (struct pending){0};
    close(fd);
}

/* Sends data, and keeps the part that the kernel does not accept. */
static void sendReply(int fd, const char *bytes, size_t length) {
    ssize_t accepted = send(fd, bytes, length, MSG_NOSIGNAL);
    if (accepted < 0 && errno != EAGAIN) {
        closeConnection(fd);
        return;
    }
    size_t rest = length - (accepted < 0 ? 0 : (size_t)accepted);
    char *copy = rest ? malloc(rest) : NULL;
    if (rest) memcpy(copy, bytes + length - rest, rest);
    if (!rest != !pending[fd].length) setEvents(EPOLL_CTL_MOD, fd, rest ? EPOLLOUT : EPOLLIN);
    free(pending[fd].bytes);
    pending[fd] = (struct pending){copy, rest};
}

static void closeWithReply(int fd, const char *reply) {
    send(fd, reply, strlen(reply), MSG_NOSIGNAL);
    close(fd);
}

static void acceptConnections(int listener, int greet) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;)
        if (greet) closeWithReply(fd, GREETING);
        else setEvents(EPOLL_CTL_ADD, fd, EPOLLIN);
}

static void receive(int fd, int welcome) {
    ssize_t length = recv(fd, buffer, MAX_READ, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) closeConnection(fd);
    else if (welcome) closeWithReply(fd, WELCOME);
    else sendReply(fd, buffer, (size_t)length);
}

static void echoDatagrams(int fd) {
    struct sockaddr_in peer;
    socklen_t room = sizeof peer;
    for (ssize_t length; (length = recvfrom(fd, buffer, MAX_READ, 0, (struct sockaddr *)&peer, &room)) >= 0; room = sizeof peer)
        sendto(fd, buffer, (size_t)length, 0, (struct sockaddr *)&peer, room);
}

static int openSocket(struct sockaddr_in *host, int udp) {
    int one = 1, fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);
    socklen_t room = sizeof *host;
    check(fd);
    check(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one));
    check(bind(fd, (struct sockaddr *)host, sizeof *host));
    if (!udp) check(listen(fd, 1024));
    check(getsockname(fd, (struct sockaddr *)host, &room));
    return fd;
}

/* Opens the sockets of all workers, and starts the workers if there are several. Returns in each worker, with its socket;
   the parent waits until it is killed. */
static int startWorkers(int workers, int udp) {
    struct sockaddr_in host = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int sockets[MAX_WORKERS];
    for (int index = 0; index < workers; index++) sockets[index] = openSocket(&host, udp);
    for (int index = 0; index < workers && workers > 1; index++) {
        int child = fork();
        check(child);
        if (child) continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        return sockets[index];
    }
    printf("PORT %d\n", ntohs(host.sin_port));
    fflush(stdout);
    while (workers > 1) pause();
    return sockets[0];
}

int main(int count, char **arguments) {
    const char *service = count == 3 ? arguments[1] : "";
    int udp = !strcmp(service, "udp"), welcome = !strcmp(service, "welcome"), greet = !strcmp(service, "greet");
    int workers = count == 3 ? atoi(arguments[2]) : 0;
    if ((!udp && !welcome && !greet && strcmp(service, "tcp")) || workers < 1 || workers > MAX_WORKERS)
        return fputs("echo tcp|udp|welcome|greet WORKERS\n", stderr), 2;
    struct rlimit files;
    check(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max < MAX_DESCRIPTORS ? files.rlim_max : MAX_DESCRIPTORS;
    check(setrlimit(RLIMIT_NOFILE, &files));
    pending = calloc(files.rlim_cur, sizeof *pending);
    int listener = startWorkers(workers, udp);
    check(epollFd = epoll_create1(0));
    setEvents(EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        struct epoll_event events[MAX_EVENTS];
        int number = epoll_wait(epollFd, events, MAX_EVENTS, -1);
        for (int index = 0; index < number; index++) {
            int fd = events[index].data.fd;
            if (fd == listener && udp) echoDatagrams(fd);
            else if (fd == listener) acceptConnections(fd, greet);
            else if (pending[fd].length) sendReply(fd, pending[fd].bytes, pending[fd].length);
            else receive(fd, welcome);
        }
    }
}
