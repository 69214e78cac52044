/*
 * The measure of all servers: one thread, epoll, and for each message one recv and one send.
 *
 * echo tcp|udp|welcome prints "PORT n", its port on 127.0.0.1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define MOST (1 << 20) /* descriptors */
#define CHUNK (64 << 10)
#define check(result) ((result) < 0 ? (perror(#result), exit(1)) : (void)0)

/* What a connection's peer has not taken yet; while there is some, nothing more is read. */
static struct pending { char *bytes; size_t length; } *owed;
static int poller;
static char buffer[CHUNK];
static const char WELCOME[] = "welcome to server!";

static void watch(int operation, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    check(epoll_ctl(poller, operation, fd, &event));
}

static void hangUp(int fd) {
    free(owed[fd].bytes);
    owed[fd] = (struct pending){0};
    close(fd);
}

/* Send; keep what the kernel does not take. */
static void say(int fd, const char *bytes, size_t length) {
    ssize_t taken = send(fd, bytes, length, MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN) {
        hangUp(fd);
        return;
    }
    size_t left = length - (taken < 0 ? 0 : (size_t)taken);
    char *kept = left ? malloc(left) : NULL;
    if (left) memcpy(kept, bytes + length - left, left);
    if (!left != !owed[fd].length) watch(EPOLL_CTL_MOD, fd, left ? EPOLLOUT : EPOLLIN);
    free(owed[fd].bytes);
    owed[fd] = (struct pending){kept, left};
}

static void accepted(int listener) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) watch(EPOLL_CTL_ADD, fd, EPOLLIN);
}

static void heard(int fd, int welcome) {
    ssize_t length = recv(fd, buffer, CHUNK, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) hangUp(fd);
    else if (!welcome) say(fd, buffer, (size_t)length);
    else {
        send(fd, WELCOME, sizeof WELCOME - 1, MSG_NOSIGNAL);
        close(fd);
    }
}

static void datagrams(int fd) {
    struct sockaddr_in peer;
    socklen_t room = sizeof peer;
    for (ssize_t length; (length = recvfrom(fd, buffer, CHUNK, 0, (struct sockaddr *)&peer, &room)) >= 0; room = sizeof peer)
        sendto(fd, buffer, (size_t)length, 0, (struct sockaddr *)&peer, room);
}

int main(int count, char **words) {
    const char *what = count == 2 ? words[1] : "";
    int udp = !strcmp(what, "udp"), welcome = !strcmp(what, "welcome");
    if (!udp && !welcome && strcmp(what, "tcp")) return fputs("echo tcp|udp|welcome\n", stderr), 2;
    struct rlimit files;
    check(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max < MOST ? files.rlim_max : MOST;
    check(setrlimit(RLIMIT_NOFILE, &files));
    owed = calloc(files.rlim_cur, sizeof *owed);
    struct sockaddr_in host = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t room = sizeof host;
    int listener = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);
    check(listener);
    check(bind(listener, (struct sockaddr *)&host, sizeof host));
    if (!udp) check(listen(listener, 1024));
    check(getsockname(listener, (struct sockaddr *)&host, &room));
    check(poller = epoll_create1(0));
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    printf("PORT %d\n", ntohs(host.sin_port));
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int number = epoll_wait(poller, events, EVENTS, -1);
        for (int index = 0; index < number; index++) {
            int fd = events[index].data.fd;
            if (fd == listener) (udp ? datagrams : accepted)(fd);
            else if (owed[fd].length) say(fd, owed[fd].bytes, owed[fd].length);
            else heard(fd, welcome);
        }
    }
}
