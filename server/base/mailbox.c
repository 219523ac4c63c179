#include "base/mailbox.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

Status mailbox_init(Mailbox *mailbox, void (*wake)(void *context), void *context, Error *out_error)
{
    assert(mailbox && wake);
    int failed = pthread_mutex_init(&mailbox->lock, NULL);
    if (failed) return error_set(out_error, STATUS_NO_MEMORY, "no mutex for a mailbox: %s", strerror(failed));
    mailbox->first = NULL;
    mailbox->last = NULL;
    mailbox->wake = wake;
    mailbox->context = context;
    return STATUS_OK;
}

void mailbox_post(Mailbox *mailbox, MailboxItem *item)
{
    item->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool was_empty = !mailbox->first;
    if (was_empty) {
        mailbox->first = item;
    } else {
        mailbox->last->next = item;
    }
    mailbox->last = item;
    pthread_mutex_unlock(&mailbox->lock);
    if (was_empty) mailbox->wake(mailbox->context);
}

MailboxItem *mailbox_take(Mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    MailboxItem *items = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = NULL;
    pthread_mutex_unlock(&mailbox->lock);
    return items;
}

void mailbox_destroy(Mailbox *mailbox)
{
    assert(!mailbox->first);
    pthread_mutex_destroy(&mailbox->lock);
}
