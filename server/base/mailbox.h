/* Where threads meet: many senders post, one receiver takes everything at once.
 * The list is detached under the lock and read without it, and the wake-up is called only when the box was empty.
 */
#pragma once

#include "base/status.h"

#include <pthread.h>

/* Embedded as the first member of what is sent. */
typedef struct MailboxItem {
    struct MailboxItem *next;
} MailboxItem;

typedef struct Mailbox {
    pthread_mutex_t lock;
    MailboxItem *first; /* guarded by lock; in order of posting */
    MailboxItem *last;
    void (*wake)(void *context); /* called by the poster, without the lock */
    void *context;
} Mailbox;

CHECKED Status mailbox_init(Mailbox *mailbox, void (*wake)(void *context), void *context, Error *out_error);
/* Hands `item` over; it is the receiver's from now on. Any thread. Cannot fail. */
void mailbox_post(Mailbox *mailbox, MailboxItem *item);
/* Takes all items in the order of posting; NULL when there is none. The receiver's thread. */
MailboxItem *mailbox_take(Mailbox *mailbox);
void mailbox_destroy(Mailbox *mailbox); /* must be empty */
