/*
 * What the load generators and the floor programs share: sockets, buffers, the clock. Nothing of
 * this is part of a server; a mistake ends the program.
 */
#ifndef CONFAB_BENCH_WIRE_H
#define CONFAB_BENCH_WIRE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prints the text and, where errno says something, that too; ends with 1. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

uint64_t now_ns(void);
/* As many descriptors as the hard limit allows. */
void raise_files(void);

/* "127.0.0.1:5060"; ends the program when it is not one. */
struct sockaddr_in address(const char *text);
bool same_address(const struct sockaddr_in *a, const struct sockaddr_in *b);
/* Non-blocking, with large buffers. */
int udp_open(const struct sockaddr_in *local);
int tcp_listen(const struct sockaddr_in *local);
/* Connected (it waits), then non-blocking; local may be NULL. */
int tcp_connect(const struct sockaddr_in *to, const struct sockaddr_in *local);
void no_delay(int fd);
/* Adds fd to the epoll set. */
void watch(int epoll, int fd, uint32_t events, void *data);
void rewatch(int epoll, int fd, uint32_t events, void *data);

/* Bytes that wait, from at to n. */
struct queue {
	char *p;
	size_t at, n, size;
};

void queue_put(struct queue *q, const void *p, size_t n);
/* Room for n bytes behind what is there. */
char *queue_room(struct queue *q, size_t n);
void queue_drop(struct queue *q, size_t n);

/* The value of --name in argv, or otherwise; flags without a value are looked for with has_option.
 */
const char *option(int argc, char **argv, const char *name, const char *otherwise);
bool has_option(int argc, char **argv, const char *name);

#endif
