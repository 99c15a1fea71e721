/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_ATTACH_H
#define CR__LOOP_ATTACH_H

/*
 * Objects that live as long as a loop does: made on first use, found by a key (the address of
 * something static), destroyed when main has ended and its leftovers are joined, last attached
 * first.
 */

struct cr__loop;

/*
 * Attaches an object. destroy(object) runs on the loop's thread in a task that nothing cancels: it
 * may suspend. Returns 0, or -ENOMEM.
 */
int cr__loop_attach(struct cr__loop *loop, const void *key, void *object,
                    void (*destroy)(void *object));

/* The object under that key, or NULL. */
void *cr__loop_attached(struct cr__loop *loop, const void *key);

/* Takes the last attached object off and destroys it. Returns 1, or 0 when there is none left. */
int cr__loop_detach_last(struct cr__loop *loop);

#endif
