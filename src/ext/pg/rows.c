/* SPDX-License-Identifier: MIT */
/*
 * What a statement gave. libpq hands rows over one at a time, so that a limit can be kept. The
 * first stays as it came, which is all for the most common answers; the others are packed together.
 */

#include "client.h"

#include <limits.h>
#include <stdlib.h>

static int cells_reserve(cr_pg_rows *rows, size_t count)
{
	size_t capacity = rows->cell_capacity ? rows->cell_capacity : 64;
	struct cell *cells;

	if (count <= rows->cell_capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	cells = reallocarray(rows->cells, capacity, sizeof *cells);
	if (!cells)
		return -ENOMEM;
	rows->cells = cells;
	rows->cell_capacity = capacity;
	return 0;
}

/* Packs a row behind the others. */
static int pack(cr_pg_rows *rows, const PGresult *row)
{
	size_t columns = (size_t)PQnfields(row), at = (rows->count - 1) * columns;
	int r = cells_reserve(rows, at + columns);

	for (size_t i = 0; r == 0 && i < columns; i++) {
		struct cell *cell = &rows->cells[at + i];

		cell->offset = rows->bytes.size;
		cell->size = PQgetisnull(row, 0, (int)i) ? -1 : PQgetlength(row, 0, (int)i);
		if (cell->size >= 0)
			r = cr_buf_append(&rows->bytes, PQgetvalue(row, 0, (int)i),
			                  (size_t)cell->size + 1);
	}
	return r;
}

int cr__pg_rows_append(cr_pg_rows *rows, PGresult *result, size_t size_max)
{
	int r = 0;

	if (!rows->first) {
		rows->first = result;
		rows->count = 1;
		return PQresultMemorySize(result) > size_max ? -EMSGSIZE : 0;
	}
	if (rows->bytes.size + rows->cell_capacity * sizeof *rows->cells > size_max)
		r = -EMSGSIZE;
	if (r == 0)
		r = pack(rows, result);
	if (r == 0)
		rows->count++;
	PQclear(result);
	return r;
}

void cr__pg_rows_finish(cr_pg_rows *rows, PGresult *result)
{
	rows->affected = strtoull(PQcmdTuples(result), NULL, 10);
	if (!rows->first) {
		/* Usually empty; a pipeline's answers come whole. */
		rows->first = result;
		rows->count = (size_t)PQntuples(result);
		return;
	}
	PQclear(result);
}

void cr__pg_rows_clear(cr_pg_rows *rows)
{
	PQclear(rows->first);
	cr_buf_free(&rows->bytes);
	free(rows->cells);
	*rows = (cr_pg_rows){0};
}

void cr_pg_rows_free(cr_pg_rows *rows)
{
	if (!rows)
		return;
	cr__pg_rows_clear(rows);
	free(rows);
}

size_t cr_pg_rows_count(const cr_pg_rows *rows)
{
	return rows->count;
}

uint64_t cr_pg_rows_affected(const cr_pg_rows *rows)
{
	return rows->affected;
}

size_t cr_pg_rows_column_count(const cr_pg_rows *rows)
{
	return (size_t)PQnfields(rows->first);
}

const char *cr_pg_rows_column_name(const cr_pg_rows *rows, size_t column)
{
	return column < cr_pg_rows_column_count(rows) ? PQfname(rows->first, (int)column) : NULL;
}

int cr_pg_rows_column(const cr_pg_rows *rows, const char *name)
{
	/* Not PQfnumber(), which folds unquoted names to lower case. */
	for (size_t i = 0; i < cr_pg_rows_column_count(rows); i++)
		if (strcmp(PQfname(rows->first, (int)i), name) == 0)
			return (int)i;
	return -ENOENT;
}

/* A value and its size; NULL for NULL, and outside the table. */
static const char *value_at(const cr_pg_rows *rows, size_t row, size_t column, int *ret_size)
{
	size_t columns = cr_pg_rows_column_count(rows);

	*ret_size = 0;
	if (row >= rows->count || column >= columns)
		return NULL;
	if (row < (size_t)PQntuples(rows->first)) {
		if (PQgetisnull(rows->first, (int)row, (int)column))
			return NULL;
		*ret_size = PQgetlength(rows->first, (int)row, (int)column);
		return PQgetvalue(rows->first, (int)row, (int)column);
	}
	const struct cell *cell = &rows->cells[(row - 1) * columns + column];

	if (cell->size < 0)
		return NULL;
	*ret_size = cell->size;
	return rows->bytes.data + cell->offset;
}

const char *cr_pg_rows_text(const cr_pg_rows *rows, size_t row, size_t column)
{
	int size;

	return value_at(rows, row, column, &size);
}

size_t cr_pg_rows_size(const cr_pg_rows *rows, size_t row, size_t column)
{
	int size;

	value_at(rows, row, column, &size);
	return (size_t)size;
}

int64_t cr_pg_rows_int(const cr_pg_rows *rows, size_t row, size_t column)
{
	const char *text = cr_pg_rows_text(rows, row, column);

	if (!text)
		return 0;
	return *text == 't' ? 1 : strtoll(text, NULL, 10);
}

double cr_pg_rows_real(const cr_pg_rows *rows, size_t row, size_t column)
{
	const char *text = cr_pg_rows_text(rows, row, column);

	return text ? strtod(text, NULL) : 0;
}

int cr_pg_rows_bool(const cr_pg_rows *rows, size_t row, size_t column)
{
	const char *text = cr_pg_rows_text(rows, row, column);

	return text && (*text == 't' || strtod(text, NULL) != 0);
}

int cr_pg_rows_is_null(const cr_pg_rows *rows, size_t row, size_t column)
{
	return !cr_pg_rows_text(rows, row, column);
}

static int hex(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* bytea_output = hex, the default since PostgreSQL 9.0: "\x" and two digits for each byte. */
int cr_pg_rows_blob(const cr_pg_rows *rows, size_t row, size_t column, cr_buf *buf)
{
	int size, r;
	const char *text = value_at(rows, row, column, &size);

	if (!text || size < 2 || size % 2 != 0 || text[0] != '\\' || text[1] != 'x')
		return -CORAIL_E_SQL_DATA;
	for (int i = 2; i < size; i++)
		if (hex(text[i]) < 0)
			return -CORAIL_E_SQL_DATA;
	r = cr_buf_reserve(buf, (size_t)size / 2);
	for (int i = 2; r == 0 && i < size; i += 2) {
		char byte = (char)((unsigned)hex(text[i]) << 4 | (unsigned)hex(text[i + 1]));

		r = cr_buf_append(buf, &byte, 1);
	}
	return r;
}
