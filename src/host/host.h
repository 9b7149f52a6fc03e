/*
 * The real world behind struct env: malloc, pthreads, the clock, getrandom, unlinked temporary
 * files.
 */
#ifndef MENDFS_HOST_HOST_H
#define MENDFS_HOST_HOST_H

#include "base/env.h"

#include <pthread.h>

/* Fills env; findings, progress and notes go nowhere until the front end sets them. workers 0: one
 * a CPU. */
void host_env_init(struct env *env, u32 workers);
/* A thread that takes no signals: they are the main thread's. */
int host_thread_start(pthread_t *thread, void *(*fn)(void *arg), void *arg);

#endif
