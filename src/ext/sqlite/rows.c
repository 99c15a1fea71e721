/* SPDX-License-Identifier: MIT */
/*
 * What a statement gave: a cell for each value, in the type that it has in the database, and the
 * bytes of texts and blobs one after the other. The worker fills it, the task reads it.
 */

#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int names_copy(cr_sqlite_rows *rows, sqlite3_stmt *stmt)
{
	size_t size = rows->column_count * sizeof *rows->names;
	char *to;

	for (size_t i = 0; i < rows->column_count; i++)
		size += strlen(sqlite3_column_name(stmt, (int)i)) + 1;
	rows->names = malloc(size);
	if (!rows->names)
		return -ENOMEM;
	to = (char *)(rows->names + rows->column_count);
	for (size_t i = 0; i < rows->column_count; i++) {
		const char *name = sqlite3_column_name(stmt, (int)i);
		size_t length = strlen(name) + 1;

		rows->names[i] = memcpy(to, name, length);
		to += length;
	}
	return 0;
}

cr_sqlite_rows *cr__sqlite_rows_new(sqlite3_stmt *stmt)
{
	cr_sqlite_rows *rows = calloc(1, sizeof *rows);

	if (!rows)
		return NULL;
	rows->column_count = stmt ? (size_t)sqlite3_column_count(stmt) : 0;
	if (rows->column_count > 0 && names_copy(rows, stmt) < 0) {
		free(rows);
		return NULL;
	}
	return rows;
}

static void figures_free(cr_sqlite_rows *rows)
{
	for (size_t i = 0; rows->figures && i < rows->cell_count; i++)
		free(rows->figures[i]);
	free(rows->figures);
	rows->figures = NULL;
}

void cr__sqlite_rows_clear(cr_sqlite_rows *rows)
{
	figures_free(rows);
	rows->count = rows->first = 0;
	rows->cell_count = rows->byte_count = 0;
}

void cr_sqlite_rows_free(cr_sqlite_rows *rows)
{
	if (!rows)
		return;
	figures_free(rows);
	free(rows->names);
	free(rows->cells);
	free(rows->bytes);
	free(rows);
}

size_t cr__sqlite_rows_bytes(const cr_sqlite_rows *rows)
{
	return rows->byte_count + rows->cell_count * sizeof *rows->cells;
}

static int reserve_cells(cr_sqlite_rows *rows)
{
	size_t wanted = rows->cell_count + rows->column_count, capacity = rows->cell_capacity * 2;
	struct cell *cells;

	if (wanted <= rows->cell_capacity)
		return 0;
	capacity = capacity < wanted ? wanted : capacity;
	cells = reallocarray(rows->cells, capacity, sizeof *cells);
	if (!cells)
		return -ENOMEM;
	rows->cells = cells;
	rows->cell_capacity = capacity;
	return 0;
}

static int put_bytes(cr_sqlite_rows *rows, struct cell *cell, const void *data, size_t size,
                     size_t size_max)
{
	size_t wanted = rows->byte_count + size + 1, capacity = rows->byte_capacity * 2;

	if (wanted > size_max)
		return -EMSGSIZE;
	if (wanted > rows->byte_capacity) {
		char *bytes = realloc(rows->bytes, capacity < wanted ? wanted : capacity);

		if (!bytes)
			return -ENOMEM;
		rows->bytes = bytes;
		rows->byte_capacity = capacity < wanted ? wanted : capacity;
	}
	cell->size = (uint32_t)size;
	cell->u.offset = rows->byte_count;
	if (size > 0)
		memcpy(rows->bytes + rows->byte_count, data, size);
	rows->bytes[rows->byte_count + size] = '\0';
	rows->byte_count = wanted;
	return 0;
}

static int put(cr_sqlite_rows *rows, struct cell *cell, sqlite3_stmt *stmt, int column,
               size_t size_max)
{
	const void *data;
	size_t size;

	*cell = (struct cell){.kind = CORAIL_SQL_NULL};
	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_INTEGER:
		cell->kind = CORAIL_SQL_INT;
		cell->u.integer = sqlite3_column_int64(stmt, column);
		return 0;
	case SQLITE_FLOAT:
		cell->kind = CORAIL_SQL_REAL;
		cell->u.real = sqlite3_column_double(stmt, column);
		return 0;
	case SQLITE_TEXT:
		cell->kind = CORAIL_SQL_TEXT;
		data = sqlite3_column_text(stmt, column);
		break;
	case SQLITE_BLOB:
		cell->kind = CORAIL_SQL_BLOB;
		data = sqlite3_column_blob(stmt, column);
		break;
	default:
		return 0;
	}
	if (!data && sqlite3_errcode(sqlite3_db_handle(stmt)) == SQLITE_NOMEM)
		return -ENOMEM;
	/* NULL is also what a BLOB without bytes is. */
	size = data ? (size_t)sqlite3_column_bytes(stmt, column) : 0;
	return put_bytes(rows, cell, data, size, size_max);
}

int cr__sqlite_rows_append(cr_sqlite_rows *rows, sqlite3_stmt *stmt, size_t size_max)
{
	int r = reserve_cells(rows);

	for (size_t i = 0; r == 0 && i < rows->column_count; i++)
		r = put(rows, &rows->cells[rows->cell_count + i], stmt, (int)i, size_max);
	if (r < 0)
		return r;
	rows->cell_count += rows->column_count;
	rows->count++;
	return cr__sqlite_rows_bytes(rows) > size_max ? -EMSGSIZE : 0;
}

/* ---- what tasks call ---- */

size_t cr_sqlite_rows_count(const cr_sqlite_rows *rows)
{
	return rows->count;
}

uint64_t cr_sqlite_rows_affected(const cr_sqlite_rows *rows)
{
	return rows->affected;
}

int64_t cr_sqlite_rows_inserted_id(const cr_sqlite_rows *rows)
{
	return rows->inserted_id;
}

size_t cr_sqlite_rows_column_count(const cr_sqlite_rows *rows)
{
	return rows->column_count;
}

const char *cr_sqlite_rows_column_name(const cr_sqlite_rows *rows, size_t column)
{
	return column < rows->column_count ? rows->names[column] : NULL;
}

int cr_sqlite_rows_column(const cr_sqlite_rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->column_count; i++)
		if (strcmp(rows->names[i], name) == 0)
			return (int)i;
	return -ENOENT;
}

/* Outside the table: a NULL. */
static const struct cell *cell_at(const cr_sqlite_rows *rows, size_t row, size_t column)
{
	static const struct cell none = {.kind = CORAIL_SQL_NULL};

	if (row >= rows->count || column >= rows->column_count)
		return &none;
	return &rows->cells[(rows->first + row) * rows->column_count + column];
}

/* A number as text, kept with the rows. NULL without memory. */
static const char *figures_of(const cr_sqlite_rows *rows, const struct cell *cell)
{
	cr_sqlite_rows *own = (cr_sqlite_rows *)(uintptr_t)rows;
	char text[40], **place;

	if (!own->figures)
		own->figures = calloc(own->cell_count, sizeof *own->figures);
	if (!own->figures)
		return NULL;
	place = &own->figures[cell - own->cells];
	if (!*place) {
		if (cell->kind == CORAIL_SQL_INT)
			snprintf(text, sizeof text, "%lld", (long long)cell->u.integer);
		else
			sqlite3_snprintf(sizeof text, text, "%!.15g", cell->u.real);
		*place = strdup(text);
	}
	return *place;
}

enum cr_sql_kind cr_sqlite_rows_kind(const cr_sqlite_rows *rows, size_t row, size_t column)
{
	return (enum cr_sql_kind)cell_at(rows, row, column)->kind;
}

const char *cr_sqlite_rows_text(const cr_sqlite_rows *rows, size_t row, size_t column)
{
	const struct cell *cell = cell_at(rows, row, column);

	switch (cell->kind) {
	case CORAIL_SQL_NULL:
		return NULL;
	case CORAIL_SQL_TEXT:
	case CORAIL_SQL_BLOB:
		return rows->bytes + cell->u.offset;
	default:
		return figures_of(rows, cell);
	}
}

size_t cr_sqlite_rows_size(const cr_sqlite_rows *rows, size_t row, size_t column)
{
	const struct cell *cell = cell_at(rows, row, column);
	const char *text;

	if (cell->kind != CORAIL_SQL_INT && cell->kind != CORAIL_SQL_REAL)
		return cell->size;
	text = figures_of(rows, cell);
	return text ? strlen(text) : 0;
}

static int64_t nearest(double real)
{
	if (real >= 9223372036854775808.0)
		return INT64_MAX;
	if (real < -9223372036854775808.0)
		return INT64_MIN;
	return (int64_t)real;
}

int64_t cr_sqlite_rows_int(const cr_sqlite_rows *rows, size_t row, size_t column)
{
	const struct cell *cell = cell_at(rows, row, column);

	switch (cell->kind) {
	case CORAIL_SQL_NULL:
		return 0;
	case CORAIL_SQL_INT:
		return cell->u.integer;
	case CORAIL_SQL_REAL:
		return nearest(cell->u.real);
	default:
		return strtoll(rows->bytes + cell->u.offset, NULL, 10);
	}
}

double cr_sqlite_rows_real(const cr_sqlite_rows *rows, size_t row, size_t column)
{
	const struct cell *cell = cell_at(rows, row, column);

	switch (cell->kind) {
	case CORAIL_SQL_NULL:
		return 0;
	case CORAIL_SQL_INT:
		return (double)cell->u.integer;
	case CORAIL_SQL_REAL:
		return cell->u.real;
	default:
		return strtod(rows->bytes + cell->u.offset, NULL);
	}
}

int cr_sqlite_rows_bool(const cr_sqlite_rows *rows, size_t row, size_t column)
{
	return cr_sqlite_rows_real(rows, row, column) != 0;
}

int cr_sqlite_rows_is_null(const cr_sqlite_rows *rows, size_t row, size_t column)
{
	return cell_at(rows, row, column)->kind == CORAIL_SQL_NULL;
}

int cr_sqlite_rows_blob(const cr_sqlite_rows *rows, size_t row, size_t column, cr_buf *buf)
{
	const struct cell *cell = cell_at(rows, row, column);

	if (cell->kind != CORAIL_SQL_TEXT && cell->kind != CORAIL_SQL_BLOB)
		return -CORAIL_E_SQL_DATA;
	return cr_buf_append(buf, rows->bytes + cell->u.offset, cell->size);
}
