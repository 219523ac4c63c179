/* The one shape of a call for the encoder, whatever its task: the request is read, checked and prepared, becomes jobs
 * of the scheduler all at once, and the worker that finishes the last of them answers. A task is a TaskMethod beside
 * it. For rpc/inference*.c only. */
#pragma once

#include "pipeline/explain.h"
#include "rpc/inference_sources.h"

typedef struct TaskCall TaskCall;

/* One sequence for the encoder. */
typedef struct TaskJob {
    SchedulerJob job; /* first; batch_key is the model */
    TaskCall *call;
    PipelineItem item;        /* item.status is the job's, also when it was dropped */
    PipelineExplain *explain; /* NULL: none is asked for */
    uint64_t passing_work;    /* what it adds to the item's */
    uint64_t step_work;       /* and takes behind it */
    uint64_t started_ns;
    uint64_t finished_ns;
    uint32_t batch_sequences;
    uint32_t batch_tokens;
} TaskJob;

/* What a call takes beyond its items' outputs. */
typedef struct TaskSize {
    uint64_t memory_bytes; /* to make the answer of the outputs, at most */
    uint64_t reply_bytes;  /* on the wire, at least: over the limit the call is refused before it is computed */
    const char *hint;      /* what would make the reply smaller, beside fewer texts; NULL: nothing */
} TaskSize;

/* What sets a task's method apart. Each function runs once a call, in this order; a Status that is not OK ends the call
 * with *out_fault. */
typedef struct TaskMethod {
    Task task; /* TASK_COUNT: the one that `choose` says */
    /* Reads the wire into the call's request. Loop thread. */
    Status (*read)(TaskCall *call, const uint8_t *wire, size_t size, CodecFault *out_fault);
    /* The task, once the model is known. Loop thread. */
    Task (*choose)(TaskCall *call);
    /* What depends on the model, without a look at the texts; NULL: nothing. Loop thread. */
    Status (*check)(TaskCall *call, CodecFault *out_fault);
    /* Fills in texts, prepared and their counts; NULL: inference_texts_prepare. Loop or worker. */
    Status (*prepare)(TaskCall *call, CodecFault *out_fault);
    /* Once prepared. */
    TaskSize (*size)(const TaskCall *call);
    /* Every job has run well: makes the reply within what `size` said. A worker's thread. */
    Status (*answer)(TaskCall *call, const CodecHead *head, CodecReply *out_reply, CodecFault *out_fault);
    /* In its place: ends the call, now or later, by a stream of replies. */
    void (*stream)(TaskCall *call);
} TaskMethod;

/* A text, or a pair, and the sequences that it became. */
typedef struct TaskText {
    Sources sources;
    Prepared whole;          /* which of them, by whole.chunks; of Answer, its first window */
    uint32_t first_job;      /* of the call's */
    uint32_t job_count;      /* 1, or its chunks, or windows */
    uint32_t sequence_count; /* and behind them as many again for each vote */
} TaskText;

/* In the message's arena: the loop's, then a worker's while it prepares, then whose job is the last. */
struct TaskCall {
    InferenceCall base; /* first */
    const TaskMethod *method;
    Task task;
    union {
        CodecInputs inputs; /* the beginning of every request */
        CodecEmbedRequest embed;
        CodecClassifyRequest classify;
        CodecRerankRequest rerank;
        CodecTagRequest tag;
        CodecFillRequest fill;
        CodecAnswerRequest answer;
        CodecExplainRequest explain;
    } request;
    const EmbedOptions *embed; /* NULL but for Embed */
    uint32_t fill_count;       /* 0 but for FillMask: candidates of each mask */
    TaskText *texts;           /* [text_count] */
    uint32_t text_count;
    Prepared *prepared; /* [job_count] */
    TaskJob *jobs;      /* [job_count] */
    uint32_t job_count;
    const float **outputs;          /* [job_count]: of each job's item */
    ExplainCost *explain_costs;     /* [job_count]; NULL: no explanations are asked for */
    CodecExplanation *explanations; /* [job_count], likewise */
    float *explained_logits;        /* [label count], likewise */
    SanitizeOptions sanitize;       /* the tightest of what the server, the model and the request say */
    uint64_t sanitize_ns;
    uint64_t tokenize_ns;
    atomic_uint_fast32_t pending; /* jobs that are not done */
    uint32_t place_count;         /* in the scheduler's background */
    bool explaining;              /* the jobs' explanations are what is not done */
};

/* Each text, or pair, becomes one sequence, or a sequence for each of its chunks. Loop or worker. */
CHECKED Status inference_texts_prepare(TaskCall *call, CodecFault *out_fault);
/* The one pair of a question and its context becomes a sequence for each window. Loop or worker. */
CHECKED Status inference_windows_prepare(TaskCall *call, CodecFault *out_fault);
/* What is left to find once a text is prepared: what its tokens show, and whether it is cut; its ranges are those of
 * what was sent from here on. Fails as inference_sources_finish. */
CHECKED Status inference_texts_finish(TaskCall *call, uint32_t index, SourcesDraft *draft, CodecFault *out_fault);
CodecReport inference_texts_report(const TaskCall *call, const TaskText *text);
CodecUsage inference_texts_usage(const TaskCall *call, const TaskText *text);
/* Masked copies of each text that vote; what they find is of no use where nothing is reported. */
static inline uint32_t inference_texts_votes(const TaskCall *call)
{
    return call->sanitize.policy == SANITIZE_OFF ? 0 : call->request.inputs.vote_count;
}

/* Outputs of a text's jobs, one after the other. */
static inline const float *const *inference_texts_outputs(const TaskCall *call, const TaskText *text)
{
    return call->outputs + text->first_job;
}

/* Starts a call of `method`. Loop thread. */
void inference_task_start(const TaskMethod *method, Inference *inference, RpcMessage *message, const uint8_t *wire,
                          size_t size);
/* The job, or what it has in the background, was run or dropped. A worker's thread, or that of scheduler_stop. */
void inference_task_job_done(TaskJob *job);
