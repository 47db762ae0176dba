/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reads a whole video file, decoding its video stream (and its audio stream on request), and keeps
 * account: a file is only whole when the demuxer, the packets' flags, the decoder and the index all
 * say so; the first sign of damage ends the reading. Headers are not believed: durations and frame
 * counts are measured.
 *
 * Only local files are opened, and only true containers: no playlists, which would read other
 * files, and still pictures only by reader_open_still. What MPEG-TS and other formats without a
 * length or an index have lost at their end cannot be seen. */
#ifndef BATCHD_PROCESSORS_MEDIA_READER_H
#define BATCHD_PROCESSORS_MEDIA_READER_H

#include "common/error.h"
#include "processors/media/colour.h"
#include "processors/media/media_log.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>

#define READER_FAULT_BYTES ERROR_TEXT_BYTES
/* A decoder holds back some 20 frames at most: H.264 and H.265 may reorder 16. */
#define READER_DOUBTED 64

/* What was wrong with a file that is read on behind its faults; times and places of the first one.
 */
struct reader_damage {
    bool tolerated;          /* set before the reading: a fault is noted and does not end it */
    int64_t faults;          /* how often one showed, at a packet or a frame */
    int64_t frames_flawed;   /* of the video's frames: handed out with parts that were made up */
    int64_t packets_refused; /* by the decoders */
    int64_t frames_before, time_us;
    int64_t byte;     /* of the packet; -1: unknown */
    int64_t marks;    /* of the faults: packets that the container marks as corrupt */
    int64_t joint_us; /* > 0: the first one is a joint of recordings (time_joint.h) */
    char what[READER_FAULT_BYTES];
    int64_t doubted[READER_DOUBTED]; /* times of the packets that came last with a fault */
    size_t doubted_count;
    bool told;  /* the log has it that there is damage */
    int stream; /* whose decoder refused something since the last fault, of sound; -1: none */
};

/* A track of sound that is decoded to see that it is whole (reader_proof.h). */
struct reader_proof {
    AVCodecContext *decoder; /* NULL: it is not, or that is done */
    int64_t samples;
};

/* Refused before a picture is allocated; 8K UHD has 33 million. */
#define READER_PIXELS_MAX 100000000

struct reader {
    const char *label; /* "input" or "output", for error texts */
    AVFormatContext *format;
    AVStream *video; /* borrowed from format; NULL after reader_open_sound */
    AVStream *audio; /* borrowed; NULL when the file has none */
    /* Borrowed; where audio is NULL a stream with packets of sound of which not even the rate could
     * be told: what it holds does not decode. NULL: there is none. */
    AVStream *unread_audio;
    AVCodecContext *video_decoder;
    AVCodecContext *audio_decoder; /* NULL: audio packets are handed out undecoded */
    struct reader_proof *proofs;   /* by the number of the stream; owned */
    unsigned proof_count;
    AVPacket *packet;
    AVFrame *frame;
    struct colour colour;     /* of the video: by the headers, and by the first frame decoded */
    struct media_account log; /* of this file's demuxer and decoders */
    bool stills;              /* JPEG, PNG and WebP are read too; by reader_open_still */
    bool is_still;            /* it is one of them */
    int64_t file_bytes;
    double progress_from, progress_to; /* the part of the job that reading this file is; equal: it
                                        * tells nothing */

    bool decodes;       /* the pictures are, so that frames tell how far it is */
    int64_t reached_us; /* where they are not: the time of the latest packet; -1: none had one */
    int64_t frames;     /* video frames decoded */
    int64_t audio_packets;
    int64_t audio_samples;                /* decoded */
    int64_t decode_errors;                /* packets refused, frames flagged */
    int64_t first_pts, last_pts, end_pts; /* of the frames, in video->time_base */
    int64_t video_dts, audio_dts;         /* of the packets that came last (time_joint.h) */
    int64_t range_keys;                   /* key packets that reader_run_range decoded */
    int64_t step_min, step_max;           /* between two frames; 0 before the second frame */
    int64_t times_repaired;               /* frames whose time stamp was missing or did not rise */
    bool damaged; /* it was refused because not all of it is there or decodes (damage.h) */
    struct reader_damage damage;
};

/* What reader_run hands out; frames and packets are borrowed for the call and have the time stamps
 * of the file, in the time base of their stream; those of video frames rise strictly, and
 * their pkt_duration is set. Any member may be NULL. 0 or -1 with err. */
struct reader_calls {
    /* Of every stream that is read, undecoded, in the file's order; then nothing is decoded but
     * what is to be proved. */
    int (*packet)(void *arg, AVPacket *packet, struct error *err);
    int (*video)(void *arg, AVFrame *frame, struct error *err);
    int (*audio)(void *arg, AVFrame *frame, struct error *err); /* with audio_decoder */
    int (*audio_packet)(void *arg, AVPacket *packet, struct error *err);
    void *arg;
};

/* *ret must be zeroed; reader_close in any case. `label` is borrowed. -1: ERROR_DAMAGED or
 * ERROR_LIMIT. */
int reader_open(const char *path, const char *label, unsigned threads, struct reader *ret,
                struct error *err);
/* A still picture, too, as a video of one frame. */
int reader_open_still(const char *path, const char *label, unsigned threads, struct reader *ret,
                      struct error *err);
/* Only its sound: `video` is NULL then. `stream` is its number; -1: the one that players take. */
int reader_open_sound(const char *path, const char *label, int stream, struct reader *ret,
                      struct error *err);
/* Nothing of it, but what is added by reader_add. */
int reader_open_bare(const char *path, const char *label, struct reader *ret, struct error *err);
/* The packets of this stream come, too. -1: ERROR_DAMAGED when the file ends before them. */
int reader_add(struct reader *reader, int stream, struct error *err);
/* As reader_open, of a file that is known to be damaged: faults are tolerated, and on one thread
 * each is seen at its packet. 1: with err, packets lie behind its end; 0; -1: it cannot be read at
 * all.
 */
int reader_open_damaged(const char *path, const char *label, struct reader *ret, struct error *err);
void reader_close(struct reader *reader);

/* -1 with ERROR_DAMAGED: it has sound, but none that could be read. For who wants sound. */
int reader_check_sound(const struct reader *reader, struct error *err);

/* Decodes audio as well. Before reader_run; only with audio. */
int reader_decode_audio(struct reader *reader, struct error *err);
/* The decoder of a stream, for the parts of the reader. -1: ERROR_DAMAGED when there is none for
 * it, or it is encrypted. */
int reader_open_decoder(struct reader *reader, const AVStream *stream, unsigned threads,
                        AVCodecContext **ret, struct error *err);

/* Reads to the end and checks that the file was whole. -1 with ERROR_DAMAGED when it was not,
 * unless that is tolerated and a frame was found. */
int reader_run(struct reader *reader, const struct reader_calls *calls, struct error *err);

/* The next packet of what is read, undecoded, in the file's order; borrowed until the next call.
 * NULL in *ret behind the last. -1 as reader_run. */
int reader_next(struct reader *reader, AVPacket **ret, struct error *err);

/* A part of the video. */
struct reader_range {
    int64_t key;      /* time of the key packet to begin at; AV_NOPTS_VALUE: of the whole file */
    int64_t seek;     /* where to seek for it (packet_index_seek) */
    int64_t from, to; /* the frames to hand out: from <= pts < to */
};

/* Hands the frames of the range to calls->video, nothing else; for a reader that was opened with
 * one thread and did nothing yet. What is damaged outside the range is not seen. 0, or -1:
 * ERROR_DAMAGED, or ERROR_CONFLICT when the file does not let itself be read from there (its seek
 * leads elsewhere, its frames have no time of their own). */
int reader_run_range(struct reader *reader, const struct reader_range *range,
                     const struct reader_calls *calls, struct error *err);

/* -1 with ERROR_DAMAGED. */
int reader_say_encrypted(const struct reader *reader, const AVStream *stream, struct error *err);
/* Says in the log, once, that it is not whole. */
void reader_tell_damage(struct reader *reader);

/* Measured, first frame to the end of the last; after reader_run. */
int64_t reader_duration_us(const struct reader *reader);
/* The file's own 3x3 matrix for display (libavutil/display.h), borrowed; NULL when there is none.
 */
const int32_t *reader_display_matrix(const struct reader *reader);

#endif
