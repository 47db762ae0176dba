/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/reader_proof.h"

#include "common/alloc.h"
#include "processors/media/reader.h"

#include <stdlib.h>

bool reader_is_of_programme(const struct reader *reader, unsigned stream)
{
    const AVProgram *own = av_find_program_from_stream(reader->format, NULL, reader->video->index);
    if (own == NULL || reader->format->nb_programs < 2)
        return true;
    for (unsigned i = 0; i < own->nb_stream_indexes; i++) {
        if (own->stream_index[i] == stream)
            return true;
    }
    return false;
}

/* MPEG-TS may come to have more streams while it is read. */
static struct reader_proof *proof_of(struct reader *reader, unsigned stream)
{
    if (stream >= reader->proof_count) {
        const unsigned count = reader->format->nb_streams;
        reader->proofs = xreallocarray(reader->proofs, count, sizeof(*reader->proofs));
        for (unsigned i = reader->proof_count; i < count; i++)
            reader->proofs[i] = (struct reader_proof){0};
        reader->proof_count = count;
    }
    return &reader->proofs[stream];
}

int reader_prove(struct reader *reader, int stream, struct error *err)
{
    if (reader_add(reader, stream, err) < 0)
        return -1;
    struct reader_proof *proof = proof_of(reader, (unsigned)stream);
    return reader_open_decoder(reader, reader->format->streams[stream], 1, &proof->decoder, err);
}

static bool is_to_prove(const struct reader *reader, const AVStream *stream)
{
    const AVCodecParameters *is = stream->codecpar;
    return is->codec_type == AVMEDIA_TYPE_AUDIO && stream != reader->audio && is->sample_rate > 0 &&
           is->ch_layout.nb_channels > 0 && avcodec_find_decoder(is->codec_id) != NULL &&
           reader_is_of_programme(reader, (unsigned)stream->index);
}

int reader_prove_others(struct reader *reader, struct error *err)
{
    for (unsigned i = 0; i < reader->format->nb_streams; i++) {
        if (is_to_prove(reader, reader->format->streams[i]) &&
            reader_prove(reader, (int)i, err) < 0)
            return -1;
    }
    return 0;
}

int64_t reader_proved(const struct reader *reader, int stream)
{
    return stream < 0 || (unsigned)stream >= reader->proof_count ? 0
                                                                 : reader->proofs[stream].samples;
}

void reader_proof_close(struct reader *reader)
{
    for (unsigned i = 0; i < reader->proof_count; i++)
        avcodec_free_context(&reader->proofs[i].decoder);
    free(reader->proofs);
    reader->proofs = NULL;
    reader->proof_count = 0;
}
