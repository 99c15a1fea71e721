/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <stdlib.h>
#include <string.h>

/*
 * The sessions that a client keeps, for each host and target. They belong to the context whose
 * authorities verified the peer: a session that another configuration made, one that verifies
 * nothing perhaps, must never stand in for a verification here.
 */

enum { COUNT_DEFAULT = 256, PER_KEY_MAX = 4 };

struct cr__tls_session {
	struct cr__tls_session *next;
	SSL_SESSION *session;
	char key[];
};

void cr__tls_sessions_init(struct cr__tls_sessions *sessions, int count_max)
{
	pthread_mutex_init(&sessions->lock, NULL);
	sessions->count_max = count_max == 0  ? COUNT_DEFAULT
	                      : count_max < 0 ? 0
	                                      : (size_t)count_max;
}

/* Takes the session out that a link points to. */
static SSL_SESSION *unlink_at(struct cr__tls_sessions *sessions, struct cr__tls_session **link)
{
	struct cr__tls_session *entry = *link;
	SSL_SESSION *session = entry->session;

	*link = entry->next;
	sessions->count--;
	free(entry);
	return session;
}

void cr__tls_sessions_free(struct cr__tls_sessions *sessions)
{
	while (sessions->first)
		SSL_SESSION_free(unlink_at(sessions, &sessions->first));
	pthread_mutex_destroy(&sessions->lock);
}

size_t cr__tls_sessions_count(struct cr__tls_sessions *sessions)
{
	size_t count;

	pthread_mutex_lock(&sessions->lock);
	count = sessions->count;
	pthread_mutex_unlock(&sessions->lock);
	return count;
}

/*
 * The newest one for a key. One of TLS 1.3 is taken out, because a ticket that is used twice lets
 * an onlooker see that both connections are the same client's (RFC 8446 appendix C.4).
 */
SSL_SESSION *cr__tls_sessions_find(struct cr__tls_sessions *sessions, const char *key)
{
	SSL_SESSION *found = NULL;

	pthread_mutex_lock(&sessions->lock);
	for (struct cr__tls_session **link = &sessions->first; *link && !found;) {
		SSL_SESSION *session = (*link)->session;

		if (strcmp((*link)->key, key) != 0) {
			link = &(*link)->next;
		} else if (!SSL_SESSION_is_resumable(session)) {
			SSL_SESSION_free(unlink_at(sessions, link));
		} else if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
			found = unlink_at(sessions, link);
		} else {
			SSL_SESSION_up_ref(session);
			found = session;
		}
	}
	pthread_mutex_unlock(&sessions->lock);
	return found;
}

/* Drops what is too much: the oldest of a key, the oldest of all. */
static void trim(struct cr__tls_sessions *sessions, const char *key)
{
	size_t kept = 0, same = 0;

	for (struct cr__tls_session **link = &sessions->first; *link;) {
		bool ours = strcmp((*link)->key, key) == 0;

		if (kept == sessions->count_max || (ours && same == PER_KEY_MAX)) {
			SSL_SESSION_free(unlink_at(sessions, link));
			continue;
		}
		kept++;
		same += ours;
		link = &(*link)->next;
	}
}

int cr__tls_sessions_new(SSL *ssl, SSL_SESSION *session)
{
	struct cr__tls *tls = SSL_get_app_data(ssl);
	struct cr__tls_sessions *sessions = &tls->context->sessions;
	struct cr__tls_session *entry;
	size_t size;

	if (!tls->session_key)
		return 0;
	size = strlen(tls->session_key) + 1;
	entry = malloc(sizeof *entry + size);
	if (!entry)
		return 0;
	memcpy(entry->key, tls->session_key, size);
	entry->session = session;
	pthread_mutex_lock(&sessions->lock);
	entry->next = sessions->first;
	sessions->first = entry;
	sessions->count++;
	trim(sessions, tls->session_key);
	pthread_mutex_unlock(&sessions->lock);
	return 1; /* the reference is ours now */
}
