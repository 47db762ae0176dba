/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/reader.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/media/media_log.h"
#include "processors/media/reader_proof.h"
#include "processors/media/still.h"

#include <stdbool.h>
#include <string.h>

/* libavformat's names of what is taken for a video. */
static const char containers[] =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,mpegvideo,avi,flv,live_flv,ogg,asf,asf_o,nut,"
    "mxf,gif,apng,ivf,h264,hevc,m4v,obu,av1,vc1,dv,wtv,rm,yuv4mpegpipe";

static void clear_log(struct reader *reader)
{
    for (int kind = 0; kind < MEDIA_LOG_COUNT; kind++) {
        media_log_clear(&reader->log, (enum media_log_kind)kind);
    }
}

/* Its probing decoders are not to take more memory than ours. Streams that show only later, as in
 * MPEG-TS, have no options. */
static int probe_streams(AVFormatContext *format)
{
    const unsigned count = format->nb_streams;
    AVDictionary **options = xcalloc(count + 1, sizeof(AVDictionary *));
    for (unsigned i = 0; i < count; i++)
        (void)av_dict_set_int(&options[i], "max_pixels", READER_PIXELS_MAX, 0);
    media_log_probing(true);
    int rc = avformat_find_stream_info(format, options);
    media_log_probing(false);
    for (unsigned i = 0; i < count; i++)
        av_dict_free(&options[i]);
    free(options);
    return rc;
}

static int open_container(const char *path, struct reader *ret, struct error *err)
{
    /* The prefix keeps "concat:..." or "http://..." from being taken for anything but a file name.
     */
    CLEANUP_FREE char *url = xasprintf("file:%s", path);
    const AVInputFormat *still = ret->stills ? still_format(path) : NULL;
    AVDictionary *options = NULL;
    ret->is_still = still != NULL;
    (void)av_dict_set(&options, "protocol_whitelist", "file", 0);
    (void)av_dict_set(&options, "format_whitelist", still == NULL ? containers : still->name, 0);
    ret->format = avformat_alloc_context();
    if (ret->format == NULL)
        out_of_memory();
    ret->format->opaque = &ret->log;
    int rc = avformat_open_input(&ret->format, url, still, &options); /* frees it when it fails */
    av_dict_free(&options);
    if (rc == AVERROR(EINVAL)) /* it was recognised, and is not on the list */
        return error_set(err, ERROR_DAMAGED,
                         "%s \"%.120s\" is no video: a picture, a playlist or another format that "
                         "is not read",
                         ret->label, path);
    /* Some demuxers call an end within the headers an input/output error, which would be tried
     * again; those of the disk were met before, when all of it was hashed. */
    if (rc < 0)
        return media_error(err, ERROR_DAMAGED, rc, "%s \"%.120s\" is no %s that can be read",
                           ret->label, path, still == NULL ? "video" : "picture");
    ret->file_bytes = avio_size(ret->format->pb);
    clear_log(ret); /* headers that name what is not there are common, and said aloud */
    rc = probe_streams(ret->format);
    if (rc < 0)
        return media_error(err, ERROR_DAMAGED, rc, "%s \"%.120s\" has unreadable streams",
                           ret->label, path);
    return 0;
}

static int is_encrypted(const AVStream *stream)
{
    const uint32_t tag = stream->codecpar->codec_tag;
    return av_stream_get_side_data(stream, AV_PKT_DATA_ENCRYPTION_INIT_INFO, NULL) != NULL ||
           av_dict_get(stream->metadata, "enc_key_id", NULL, 0) != NULL || /* Matroska */
           tag == MKTAG('e', 'n', 'c', 'v') || tag == MKTAG('e', 'n', 'c', 'a');
}

int reader_say_encrypted(const struct reader *reader, const AVStream *stream, struct error *err)
{
    return error_set(err, ERROR_DAMAGED, "%s: stream %d (%s) is encrypted", reader->label,
                     stream->index, avcodec_get_name(stream->codecpar->codec_id));
}

int reader_open_decoder(struct reader *reader, const AVStream *stream, unsigned threads,
                        AVCodecContext **ret, struct error *err)
{
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    const char *name = avcodec_get_name(stream->codecpar->codec_id);
    if (is_encrypted(stream))
        return reader_say_encrypted(reader, stream, err);
    if (codec == NULL)
        return error_set(err, ERROR_DAMAGED, "%s: no decoder for stream %d (%s)", reader->label,
                         stream->index, name);
    AVCodecContext *context = *ret = avcodec_alloc_context3(codec);
    if (context == NULL)
        return error_set(err, ERROR_BUSY, "out of memory");
    int rc = avcodec_parameters_to_context(context, stream->codecpar);
    context->opaque = &reader->log;
    context->pkt_timebase = stream->time_base;
    context->thread_count = (int)threads;
    context->max_pixels = READER_PIXELS_MAX;
    context->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
    /* Damaged frames are to be counted, not silently left out. */
    context->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
    /* Of sound it makes DTS come in another form than the headers' decoder found. */
    if (codec->type == AVMEDIA_TYPE_VIDEO)
        context->flags |= AV_CODEC_FLAG_BITEXACT;
    if (rc >= 0)
        rc = avcodec_open2(context, codec, NULL);
    return rc < 0 ? media_error(err, ERROR_DAMAGED, rc, "%s: stream %d: the %s decoder refuses it",
                                reader->label, stream->index, name)
                  : 0;
}

/* libavformat takes it for no stream to choose, as if it were not there. A stream that is declared
 * and has no packets is none. */
static AVStream *find_unread_audio(const AVFormatContext *format)
{
    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *stream = format->streams[i];
        if (stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO &&
            stream->start_time != AV_NOPTS_VALUE)
            return stream;
    }
    return NULL;
}

/* Cover pictures are streams of type video to libavformat, but no moving picture. */
static int pick_streams(struct reader *reader, struct error *err)
{
    AVFormatContext *format = reader->format;
    int video = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (video < 0 || (format->streams[video]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
        return error_set(err, ERROR_DAMAGED, "%s holds no video stream", reader->label);
    int audio = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, video, NULL, 0);
    for (unsigned i = 0; i < format->nb_streams; i++)
        format->streams[i]->discard = AVDISCARD_ALL;
    reader->video = format->streams[video];
    reader->video->discard = AVDISCARD_DEFAULT;
    reader->audio = audio < 0 ? NULL : format->streams[audio];
    if (reader->audio != NULL)
        reader->audio->discard = AVDISCARD_DEFAULT;
    else
        reader->unread_audio = find_unread_audio(format);
    return 0;
}

static int check_size(const struct reader *reader, struct error *err)
{
    const AVCodecParameters *is = reader->video->codecpar;
    if (is->width <= 0 || is->height <= 0)
        return error_set(err, ERROR_DAMAGED,
                         "%s has no picture size that can be read, or one of more than %d pixels",
                         reader->label, READER_PIXELS_MAX);
    if ((int64_t)is->width * is->height > READER_PIXELS_MAX)
        return error_set(err, ERROR_LIMIT,
                         "%s has pictures of %dx%d pixels; at most %d are decoded", reader->label,
                         is->width, is->height, READER_PIXELS_MAX);
    return 0;
}

/* A size has 30 bits with its sign: one that claims 512 MB is less than nothing here. */
static bool lies_within(const AVIndexEntry *entry, int64_t file_bytes)
{
    return entry->pos >= 0 && entry->size >= 0 && entry->pos <= file_bytes - entry->size;
}

/* The index of MP4 and its kin names every packet's place: what lies behind the end of the file is
 * missing, and it is known before any work is done. A seek behind the end does not fail. Where a
 * part of it is missing, there are no packets, as if there were none to miss. */
static int check_index(struct reader *reader, int number, struct error *err)
{
    AVStream *stream = reader->format->streams[number];
    const int count = avformat_index_get_entries_count(stream);
    if (strstr(reader->format->iformat->name, "mp4") == NULL || reader->file_bytes <= 0)
        return 0;
    if (count == 0 && stream->nb_frames > 0) {
        reader->damaged = true;
        return error_set(err, ERROR_DAMAGED,
                         "%s is damaged: stream %d has %lld packets by its header, and their index "
                         "is broken",
                         reader->label, number, (long long)stream->nb_frames);
    }
    for (int i = 0; i < count; i++) {
        if (lies_within(avformat_index_get_entry(stream, i), reader->file_bytes))
            continue;
        reader->damaged = true;
        return error_set(err, ERROR_DAMAGED,
                         "%s is cut off: packet %d of %d of stream %d lies behind its end "
                         "at %lld bytes",
                         reader->label, i + 1, count, number, (long long)reader->file_bytes);
    }
    return 0;
}

static int check_indexes(struct reader *reader, struct error *err)
{
    const AVStream *const streams[] = {reader->video, reader->audio};
    for (size_t i = 0; i < 2; i++) {
        if (streams[i] != NULL && check_index(reader, streams[i]->index, err) < 0)
            return -1;
    }
    return 0;
}

static int begin(const char *path, const char *label, struct reader *ret, struct error *err)
{
    clear_log(ret);
    ret->label = label;
    ret->packet = av_packet_alloc();
    ret->frame = av_frame_alloc();
    ret->first_pts = ret->last_pts = AV_NOPTS_VALUE;
    ret->video_dts = ret->audio_dts = AV_NOPTS_VALUE;
    ret->progress_to = 1;
    ret->reached_us = -1;
    ret->damage.stream = -1;
    if (ret->packet == NULL || ret->frame == NULL)
        return error_set(err, ERROR_BUSY, "out of memory");
    return open_container(path, ret, err);
}

int reader_open_bare(const char *path, const char *label, struct reader *ret, struct error *err)
{
    if (begin(path, label, ret, err) < 0)
        return -1;
    for (unsigned i = 0; i < ret->format->nb_streams; i++)
        ret->format->streams[i]->discard = AVDISCARD_ALL;
    return 0;
}

int reader_add(struct reader *reader, int stream, struct error *err)
{
    if ((unsigned)stream >= reader->format->nb_streams)
        return error_set(err, ERROR_DAMAGED, "%s holds no stream %d any more", reader->label,
                         stream);
    reader->format->streams[stream]->discard = AVDISCARD_DEFAULT;
    return check_index(reader, stream, err);
}

int reader_open_sound(const char *path, const char *label, int stream, struct reader *ret,
                      struct error *err)
{
    if (reader_open_bare(path, label, ret, err) < 0)
        return -1;
    if (stream < 0)
        stream = av_find_best_stream(ret->format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (stream < 0)
        return error_set(err, ERROR_DAMAGED, "%s holds no sound", label);
    if (reader_add(ret, stream, err) < 0)
        return -1;
    ret->audio = ret->format->streams[stream];
    return 0;
}

/* What the probing decoders said is about guesses. The demuxer's word stays: its packets are kept,
 * so it says nothing a second time. */
static int open_video(struct reader *reader, unsigned threads, struct error *err)
{
    if (reader_open_decoder(reader, reader->video, threads, &reader->video_decoder, err) < 0)
        return -1;
    colour_of_stream(reader->video, &reader->colour);
    for (int kind = MEDIA_LOG_DECODER; kind < MEDIA_LOG_COUNT; kind++) {
        media_log_clear(&reader->log, (enum media_log_kind)kind);
    }
    return 0;
}

int reader_open(const char *path, const char *label, unsigned threads, struct reader *ret,
                struct error *err)
{
    if (begin(path, label, ret, err) < 0 || pick_streams(ret, err) < 0 ||
        check_size(ret, err) < 0 || check_indexes(ret, err) < 0)
        return -1;
    return open_video(ret, threads, err);
}

int reader_open_damaged(const char *path, const char *label, struct reader *ret, struct error *err)
{
    struct error lacking = {0};
    ret->damage.tolerated = true;
    if (begin(path, label, ret, err) < 0 || pick_streams(ret, err) < 0 || check_size(ret, err) < 0)
        return -1;
    const bool lacks = check_indexes(ret, &lacking) < 0;
    if (open_video(ret, 1, err) < 0)
        return -1;
    if (lacks)
        *err = lacking;
    return lacks ? 1 : 0;
}

int reader_open_still(const char *path, const char *label, unsigned threads, struct reader *ret,
                      struct error *err)
{
    ret->stills = true;
    return reader_open(path, label, threads, ret, err);
}

int reader_check_sound(const struct reader *reader, struct error *err)
{
    const AVStream *stream = reader->unread_audio;
    return stream == NULL
               ? 0
               : error_set(
                     err, ERROR_DAMAGED,
                     "%s is damaged: it has sound in stream %d (%s) of which nothing decodes; "
                     "with audio none it is left out",
                     reader->label, stream->index, avcodec_get_name(stream->codecpar->codec_id));
}

int reader_decode_audio(struct reader *reader, struct error *err)
{
    return reader_open_decoder(reader, reader->audio, 1, &reader->audio_decoder, err);
}

void reader_close(struct reader *reader)
{
    avcodec_free_context(&reader->video_decoder);
    avcodec_free_context(&reader->audio_decoder);
    reader_proof_close(reader);
    avformat_close_input(&reader->format);
    av_packet_free(&reader->packet);
    av_frame_free(&reader->frame);
}

const int32_t *reader_display_matrix(const struct reader *reader)
{
    size_t bytes = 0;
    const void *data = av_stream_get_side_data(reader->video, AV_PKT_DATA_DISPLAYMATRIX, &bytes);
    return bytes < 9 * sizeof(int32_t) ? NULL : data;
}
