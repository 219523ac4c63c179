/* One file of a repository onto the disk: into a part file beside its place, resumed when it has a hash to prove
 * the result, checked, and only then renamed by whoever asked. */
#pragma once

#include "base/limits.h"
#include "hub.h"
#include "progress.h"
#include "pull_files.h"

typedef struct PullFetch {
    Hub *hub;
    const char *repository;
    const char *commit;
    const char *directory;
    uint64_t retry_count;
    Progress *progress;
    uint64_t done_before_bytes; /* of all files before this one, for the progress */
} PullFetch;

/* Where a file goes and where its part is meanwhile. */
typedef struct PullPlace {
    char final_path[PATH_BYTES_MAX];
    char part_path[PATH_BYTES_MAX];
    bool complete; /* final_path holds it already: there is no part */
} PullPlace;

/* Gets `file` into out_place->part_path, or finds it complete; creates folders. `file` learns its size and hash
 * where the listing had none. A part that can't be resumed is begun anew; one that is left by a failure stays for
 * the next time. Fails with CORRUPT (another size or hash), and as hub_get, IO, INVALID_ARGUMENT (path too long).
 */
CHECKED Status pull_fetch(const PullFetch *fetch, PullFile *file, PullPlace *out_place, Error *out_error);
/* Moves a fetched part to its place. Fails with IO. */
CHECKED Status pull_fetch_finish(const PullPlace *place, Error *out_error);
