#include "base/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <semaphore.h>
#include <stdlib.h>

enum { SENDER_COUNT = 4, LETTER_COUNT = 5000 };

typedef struct Letter {
    MailboxItem item; /* first */
    int sender;
    int number;
} Letter;

typedef struct Sender {
    pthread_t thread;
    Mailbox *mailbox;
    Letter letters[LETTER_COUNT];
} Sender;

static void count_wake(void *context)
{
    ++*(int *)context;
}

static void mailbox_keeps_the_order_and_wakes_once_per_filling(void **state)
{
    (void)state;
    Mailbox mailbox;
    int wakes = 0;
    Letter letters[3] = {0};
    assert_int_equal(mailbox_init(&mailbox, count_wake, &wakes, NULL), STATUS_OK);
    assert_null(mailbox_take(&mailbox));
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < 3; i++) mailbox_post(&mailbox, &letters[i].item);
        assert_int_equal(wakes, round);
        const MailboxItem *item = mailbox_take(&mailbox);
        for (int i = 0; i < 3; i++, item = item->next) assert_ptr_equal(item, &letters[i]);
        assert_null(item);
        assert_null(mailbox_take(&mailbox));
    }
    mailbox_destroy(&mailbox);
}

static void post_wake(void *context)
{
    sem_post(context);
}

static void *send_all(void *argument)
{
    Sender *sender = argument;
    for (int i = 0; i < LETTER_COUNT; i++) {
        sender->letters[i].number = i;
        mailbox_post(sender->mailbox, &sender->letters[i].item);
    }
    return NULL;
}

static void mailbox_loses_nothing_between_threads(void **state)
{
    (void)state;
    Mailbox mailbox;
    sem_t filled;
    assert_int_equal(sem_init(&filled, 0, 0), 0);
    assert_int_equal(mailbox_init(&mailbox, post_wake, &filled, NULL), STATUS_OK);
    Sender *senders = calloc(SENDER_COUNT, sizeof *senders);
    assert_non_null(senders);
    for (int i = 0; i < SENDER_COUNT; i++) {
        senders[i].mailbox = &mailbox;
        for (int j = 0; j < LETTER_COUNT; j++) senders[i].letters[j].sender = i;
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    int next[SENDER_COUNT] = {0};
    for (int received = 0; received < SENDER_COUNT * LETTER_COUNT;) {
        sem_wait(&filled);
        for (MailboxItem *item = mailbox_take(&mailbox); item; item = item->next, received++) {
            const Letter *letter = (const Letter *)item;
            assert_int_equal(letter->number, next[letter->sender]++);
        }
    }
    for (int i = 0; i < SENDER_COUNT; i++) pthread_join(senders[i].thread, NULL);
    mailbox_destroy(&mailbox);
    sem_destroy(&filled);
    free(senders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailbox_keeps_the_order_and_wakes_once_per_filling),
        cmocka_unit_test(mailbox_loses_nothing_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
