/* SPDX-License-Identifier: MIT */
#ifndef CR__HTTP_MISUSE_H
#define CR__HTTP_MISUSE_H

/* A programmer error: a message on standard error, and abort(3). */
_Noreturn void cr__http_misuse(const char *message);

#endif
