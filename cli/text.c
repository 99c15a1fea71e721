/* SPDX-License-Identifier: MIT */

/* Language, and the safe printing of what comes from outside. See text.h. */

#include "text.h"

#include <corail/base.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * The value that decides a locale category: POSIX's order, where an empty variable counts as unset.
 */
static const char *locale_value(const char *category)
{
	const char *names[] = {"LC_ALL", category, "LANG"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return value;
	}
	return "C";
}

bool text_is_french(void)
{
	static int known = -1;

	if (known < 0) {
		const char *value = locale_value("LC_MESSAGES");

		known = strncasecmp(value, "fr", 2) == 0 && strchr("_.@-", value[2]) != NULL;
	}
	return known;
}

bool text_is_utf8(void)
{
	static int known = -1;

	if (known < 0) {
		const char *value = locale_value("LC_CTYPE");

		known = strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return known;
}

const char *tr(const char *english, const char *french)
{
	return text_is_french() ? french : english;
}

const char *text_error(int error)
{
	static const struct {
		int error;
		const char *french;
	} table[] = {
		{ECONNREFUSED, "connexion refusée"},
		{ECONNRESET, "connexion coupée par le serveur"},
		{ECONNABORTED, "connexion abandonnée"},
		{EPIPE, "connexion fermée"},
		{EHOSTUNREACH, "machine injoignable"},
		{ENETUNREACH, "réseau injoignable"},
		{ETIMEDOUT, "délai dépassé"},
		{ECANCELED, "interrompu"},
		{ENOSPC, "plus de place sur le disque"},
		{EDQUOT, "quota de disque dépassé"},
		{EACCES, "permission refusée"},
		{EPERM, "opération non permise"},
		{EROFS, "système de fichiers en lecture seule"},
		{EISDIR, "est un dossier"},
		{ENOTDIR, "n'est pas un dossier"},
		{ENOENT, "fichier ou dossier inexistant"},
		{ENOMEM, "mémoire insuffisante"},
		{EMFILE, "trop de fichiers ouverts"},
		{ENFILE, "trop de fichiers ouverts dans le système"},
		{EIO, "erreur d'entrée-sortie"},
		{CORAIL_E_DNS_NOTFOUND, "hôte inconnu"},
		{CORAIL_E_DNS_NODATA, "l'hôte n'a pas d'adresse du type voulu"},
		{CORAIL_E_DNS_TIMEOUT, "les serveurs de noms ne répondent pas"},
		{CORAIL_E_DNS_SERVFAIL, "erreur du serveur de noms"},
		{CORAIL_E_DNS_BADNAME, "nom d'hôte incorrect"},
		{CORAIL_E_DNS_REFUSED, "serveur de noms injoignable, ou qui refuse"},
		{CORAIL_E_DNS_BADREPLY, "réponse incorrecte du serveur de noms"},
		{CORAIL_E_TLS_HANDSHAKE, "échec de la négociation TLS"},
		{CORAIL_E_TLS_CERTIFICATE, "le certificat du serveur n'a pas pu être vérifié"},
		{CORAIL_E_TLS_PROTOCOL, "erreur du protocole TLS"},
		{CORAIL_E_TLS_EXPIRED, "le certificat du serveur a expiré"},
		{CORAIL_E_TLS_NOT_YET_VALID, "le certificat du serveur n'est pas encore valable"},
		{CORAIL_E_TLS_WRONG_HOST, "le certificat du serveur est celui d'un autre hôte"},
		{CORAIL_E_TLS_SELF_SIGNED, "le certificat du serveur est signé par lui-même"},
		{CORAIL_E_TLS_UNKNOWN_CA, "le certificat du serveur est d'une autorité inconnue"},
		{CORAIL_E_SQL_STATEMENT, "la base de données a refusé l'instruction"},
		{CORAIL_E_SQL_CONNECTION, "connexion à la base de données perdue"},
		{CORAIL_E_SQL_DATA, "la base de données n'accepte pas cette valeur"},
		{CORAIL_E_SQL_LIMIT, "la base de données n'a plus de place"},
		{CORAIL_E_SQL_LOCKED, "la base de données est verrouillée"},
		{CORAIL_E_SQL_PERMISSION, "la base de données ne le permet pas"},
		{CORAIL_E_HTTP_URL, "URL incorrecte"},
		{CORAIL_E_HTTP_SCHEME, "ce genre d'URL n'est pas pris en charge"},
		{CORAIL_E_HTTP_TRUNCATED, "contenu tronqué : moins d'octets qu'annoncé"},
		{CORAIL_E_HTTP_REDIRECTS, "trop de redirections"},
		{CORAIL_E_HTTP_TOO_LARGE, "plus grand que la limite fixée"},
		{CORAIL_E_HTTP_ENCODING, "encodage du contenu abîmé ou inconnu"},
		{CORAIL_E_HTTP_PROTOCOL, "la réponse n'est pas du HTTP correct"},
		{CORAIL_E_HTTP_HEADER, "caractère interdit dans un en-tête"},
		{CORAIL_E_HTTP_STATUS, "le serveur a répondu par une erreur"},
		{CORAIL_E_HTTP_EMPTY, "connexion fermée sans réponse"},
	};

	if (text_is_french()) {
		for (size_t i = 0; i < sizeof table / sizeof *table; i++)
			if (table[i].error == -error)
				return table[i].french;
	}
	return cr_strerror(error);
}

size_t text_utf8_decode(const char *text, size_t size_bytes, uint32_t *ret_codepoint)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)text;
	size_t length;
	uint32_t value;

	if (size_bytes == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret_codepoint = p[0];
		return 1;
	}
	length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || size_bytes < length)
		return 0;
	value = p[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (p[i] & 0x3f);
	}
	/* Overlong forms, surrogates and what lies beyond Unicode: RFC 3629, section 3. */
	if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*ret_codepoint = value;
	return length;
}

bool text_is_printable(uint32_t codepoint)
{
	if (codepoint < 0x20 || (codepoint >= 0x7f && codepoint < 0xa0))
		return false;
	if (codepoint == 0xad || codepoint == 0x061c || codepoint == 0x180e || codepoint == 0xfeff)
		return false;
	/* Zero width and direction marks, line separators, overrides, isolates. */
	if ((codepoint >= 0x200b && codepoint <= 0x200f) ||
	    (codepoint >= 0x2028 && codepoint <= 0x202e) ||
	    (codepoint >= 0x2060 && codepoint <= 0x206f))
		return false;
	/* Interlinear marks, tags, and the code points that are none. */
	return !((codepoint >= 0xfff9 && codepoint <= 0xfffb) || codepoint >= 0xe0000 ||
	         (codepoint & 0xfffe) == 0xfffe);
}

/* Prints the next character of outside text and its visible width; returns the bytes it took. */
static size_t print_one(FILE *out, const char *text, size_t size_bytes, size_t *ret_columns)
{
	uint32_t codepoint = 0;
	size_t length = text_utf8_decode(text, size_bytes, &codepoint);
	int printed;

	if (length == 0) {
		printed = fprintf(out, "\\x%02x", (unsigned char)*text);
		length = 1;
	} else if (text_is_printable(codepoint)) {
		fwrite(text, 1, length, out);
		printed = 1;
	} else if (length == 1) {
		printed = fprintf(out, "\\x%02x", codepoint);
	} else {
		printed = fprintf(out, "\\u{%x}", codepoint);
	}
	*ret_columns = printed > 0 ? (size_t)printed : 0;
	return length;
}

void text_print(FILE *out, const char *text)
{
	size_t left_bytes = strlen(text), columns;

	while (left_bytes > 0) {
		size_t length = print_one(out, text, left_bytes, &columns);

		text += length;
		left_bytes -= length;
	}
}

size_t text_print_cut(FILE *out, const char *text, size_t columns)
{
	size_t left_bytes = strlen(text), used = 0, one;

	while (left_bytes > 0) {
		/* The longest escape takes ten columns; the ellipsis three. */
		if (left_bytes > 1 && used + 13 > columns) {
			used += (size_t)fprintf(out, "...");
			break;
		}
		size_t length = print_one(out, text, left_bytes, &one);

		used += one;
		text += length;
		left_bytes -= length;
	}
	return used;
}

void text_print_json(FILE *out, const char *text)
{
	size_t left_bytes = strlen(text);

	putc('"', out);
	while (left_bytes > 0) {
		uint32_t codepoint = 0;
		size_t length = text_utf8_decode(text, left_bytes, &codepoint);

		if (length == 0) {
			fputs("\\ufffd", out);
			length = 1;
		} else if (codepoint == '"' || codepoint == '\\') {
			fprintf(out, "\\%c", (char)codepoint);
		} else if (!text_is_printable(codepoint) && codepoint < 0x10000) {
			fprintf(out, "\\u%04x", codepoint);
		} else {
			fwrite(text, 1, length, out);
		}
		text += length;
		left_bytes -= length;
	}
	putc('"', out);
}

const char *text_bytes(char *buf, size_t size, double count)
{
	static const char prefixes[] = " kMGTPE";
	const char *unit = tr("B", "o");
	size_t step = 0;

	/* 999.95 would be shown as 1000.0 of the smaller unit. */
	while (count >= (step ? 999.95 : 999.5) && prefixes[step + 1]) {
		count /= 1000;
		step++;
	}
	if (step == 0)
		snprintf(buf, size, "%.0f %s", count, unit);
	else
		snprintf(buf, size, "%.1f %c%s", count, prefixes[step], unit);
	return buf;
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("corail: ", stderr);
	vfprintf(stderr, format, args);
	putc('\n', stderr);
	va_end(args);
}
