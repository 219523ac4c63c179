#include "registry/background.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BACKGROUND_NAME_BYTES = 16, BACKGROUND_NICE = 19 };

struct Background {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    BackgroundItem *first; /* guarded by lock; in order of posting */
    BackgroundItem *last;
    bool closing; /* guarded by lock */
    bool idle;
    char name[BACKGROUND_NAME_BYTES];
};

/* NULL: closed, and nothing is left. */
static BackgroundItem *background_take(Background *background)
{
    pthread_mutex_lock(&background->lock);
    while (!background->first && !background->closing) {
        pthread_cond_wait(&background->changed, &background->lock);
    }
    BackgroundItem *item = background->first;
    if (item) background->first = item->next;
    if (!background->first) background->last = NULL;
    pthread_mutex_unlock(&background->lock);
    return item;
}

static void *background_main(void *context)
{
    Background *background = context;
    pthread_setname_np(pthread_self(), background->name);
    if (background->idle) setpriority(PRIO_PROCESS, (id_t)gettid(), BACKGROUND_NICE); /* of this thread alone */
    BackgroundItem *item;
    while ((item = background_take(background))) item->run(item);
    return NULL;
}

Status background_open(const char *name, bool idle, Background **out_background, Error *out_error)
{
    Background *background = calloc(1, sizeof *background);
    if (!background) return error_set(out_error, STATUS_NO_MEMORY, "no memory for the thread '%s'", name);
    pthread_mutex_init(&background->lock, NULL); /* cannot fail with glibc and musl: no memory is taken */
    pthread_cond_init(&background->changed, NULL);
    background->idle = idle;
    snprintf(background->name, sizeof background->name, "%s", name);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* of its own doing: blocked, it would end the process */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failed = pthread_create(&background->thread, NULL, background_main, background);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) {
        *out_background = background;
        return STATUS_OK;
    }
    pthread_mutex_destroy(&background->lock);
    pthread_cond_destroy(&background->changed);
    free(background);
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the thread '%s': %s", name, strerror(failed));
}

void background_post(Background *background, BackgroundItem *item)
{
    item->next = NULL;
    pthread_mutex_lock(&background->lock);
    if (background->last) {
        background->last->next = item;
    } else {
        background->first = item;
    }
    background->last = item;
    pthread_cond_signal(&background->changed);
    pthread_mutex_unlock(&background->lock);
}

typedef struct BackgroundMark {
    BackgroundItem item; /* first */
    sem_t reached;
} BackgroundMark;

static void background_reach(BackgroundItem *item)
{
    sem_post(&((BackgroundMark *)item)->reached);
}

void background_flush(Background *background)
{
    BackgroundMark mark = {.item.run = background_reach};
    sem_init(&mark.reached, 0, 0);
    background_post(background, &mark.item);
    while (sem_wait(&mark.reached) != 0) continue; /* interrupted by a signal */
    sem_destroy(&mark.reached);
}

void background_close(Background *background)
{
    if (!background) return;
    pthread_mutex_lock(&background->lock);
    background->closing = true;
    pthread_cond_signal(&background->changed);
    pthread_mutex_unlock(&background->lock);
    pthread_join(background->thread, NULL);
    pthread_mutex_destroy(&background->lock);
    pthread_cond_destroy(&background->changed);
    free(background);
}
