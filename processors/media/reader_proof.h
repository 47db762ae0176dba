/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Tracks of sound that are decoded while the file is read for something else (its pictures, its
 * index), to see that they are whole; what comes of it is counted, and thrown away. */
#ifndef BATCHD_PROCESSORS_MEDIA_READER_PROOF_H
#define BATCHD_PROCESSORS_MEDIA_READER_PROOF_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct reader;

/* Whether this stream is of the programme of the picture: a transport stream may carry several. */
bool reader_is_of_programme(const struct reader *reader, unsigned stream);

/* This track's packets are read, and decoded by reader_run; a fault of it is one of the file. Not
 * of the one that reader_decode_audio is for. -1: ERROR_DAMAGED, as reader_open. */
int reader_prove(struct reader *reader, int stream, struct error *err);
/* Every track of sound of the programme but `audio`; those of an unknown form, and those that there
 * is no decoder for, are passed over. */
int reader_prove_others(struct reader *reader, struct error *err);
/* Samples of that track that decoded; 0: it was not to be proved. */
int64_t reader_proved(const struct reader *reader, int stream);

/* For reader_close. */
void reader_proof_close(struct reader *reader);

#endif
