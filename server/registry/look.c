/* What has changed on the disk: looked at on the loader's thread, so that a slow disk holds nothing up, and turned into
 * changes on the loop.
 *
 * Looking again and again, instead of being told by inotify, needs no watch for each folder of each model, works on
 * network file systems and in containers, and has to be done anyway: to know that a copy has come to its end, one must
 * see that nothing changes any more. */
#include "base/file.h"
#include "base/log.h"
#include "registry/registry_state.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void look_run(BackgroundItem *item);

static bool look_has(const RegistryLook *look, const char *name)
{
    for (size_t i = 0; i < look->count; i++) {
        if (strcmp(look->sights[i].name, name) == 0) return true;
    }
    return false;
}

bool registry_watches(const Registry *registry)
{
    if (registry->options.folder) return true;
    for (size_t i = 0; i < registry->count; i++) {
        const RegistryEntry *entry = registry->entries[i];
        if (entry->failure[0] || entry->origin == REGISTRY_ASKED) return true;
    }
    return false;
}

/* A name is seen once in a look, also where it was asked for or named and lies in the folder: judged twice, a copy
 * that still grows would seem to have come to its end. */
static void look_add(RegistryLook *look, const char *name, const char *directory, bool in_folder)
{
    if (look->count == MODEL_COUNT_MAX || look_has(look, name)) return;
    RegistrySight *sight = &look->sights[look->count++];
    *sight = (RegistrySight){.in_folder = in_folder};
    snprintf(sight->name, sizeof sight->name, "%s", name);
    snprintf(sight->directory, sizeof sight->directory, "%s", directory);
}

void registry_look(Registry *registry, bool all)
{
    RegistryLook *look = &registry->look;
    if (registry->draining) return;
    if (look->busy) {
        look->again |= all;
        return;
    }
    look->busy = true;
    look->all = all;
    look->count = 0;
    look->item.run = look_run;
    for (size_t i = 0; i < registry->count; i++) {
        const RegistryEntry *entry = registry->entries[i];
        if (entry->parked || entry->origin == REGISTRY_FOUND) continue;
        if (all || entry->failure[0] || entry->origin == REGISTRY_ASKED)
            look_add(look, entry->name, entry->directory, false);
    }
    background_post(registry->loader, &look->item);
}

/* ---- On the loader's thread ---- */

static void look_into(RegistryLook *look, const char *folder, const char *name)
{
    char directory[PATH_BYTES_MAX];
    char config[PATH_BYTES_MAX];
    if (name[0] == '.' || strlen(name) > MODEL_NAME_BYTES_MAX) return;
    if (file_join(directory, sizeof directory, folder, name, NULL)) return;
    if (file_join(config, sizeof config, directory, "config.json", NULL) || !file_exists(config)) return;
    look_add(look, name, directory, true);
}

static void look_run(BackgroundItem *item)
{
    RegistryLook *look = (RegistryLook *)item;
    Registry *registry = look->registry;
    const char *folder = registry->options.folder;
    DIR *directory = folder ? opendir(folder) : NULL;
    const struct dirent *entry;
    while (directory && (entry = readdir(directory))) look_into(look, folder, entry->d_name);
    look->folder_read = directory != NULL;
    if (directory) closedir(directory);
    for (size_t i = 0; i < look->count; i++) {
        Fingerprint fingerprint = {0};
        if (fingerprint_take(look->sights[i].directory, &fingerprint, NULL)) continue; /* gone meanwhile */
        look->sights[i].fingerprint = fingerprint.value;
    }
    atomic_store(&look->done, true); /* from here on it is the loop's */
    registry->options.wake(registry->options.context);
}

/* ---- On the loop again ---- */

/* A change that nobody but the registry asked for. */
typedef struct Order {
    RegistryChange change; /* first */
    char name[MODEL_NAME_BYTES_MAX + 1];
} Order;

static void order_done(RegistryChange *change)
{
    free(change); /* the registry has logged and kept what went wrong */
}

static void order_give(Registry *registry, RegistryEntry *entry, RegistryAction action)
{
    Order *order = calloc(1, sizeof *order);
    if (!order) return; /* the next look comes to the same conclusion */
    snprintf(order->name, sizeof order->name, "%s", entry->name);
    order->change = (RegistryChange){
        .action = action,
        .name = text_view(order->name),
        .force = action == REGISTRY_UNLOAD,
        .done = order_done,
    };
    Error error;
    entry->loading = action == REGISTRY_RELOAD;
    if (registry_change(registry, &order->change, &error) == STATUS_OK) return; /* and the entry may be gone */
    entry->loading = false;
    free(order);
}

static void sight_judge(Registry *registry, const RegistrySight *sight)
{
    Error error;
    TextView name = text_view(sight->name);
    RegistryEntry *entry = registry_entry(registry, name);
    bool all = registry->look.all;
    if (!entry && sight->in_folder &&
        registry_add(registry, name, sight->directory, REGISTRY_FOUND, &entry, &error)) {
        log_event(LOG_DEBUG, "model_ignored", "%s: %s", sight->directory, error.message);
        return;
    }
    if (!entry || strcmp(entry->directory, sight->directory) != 0) return;
    entry->missed = false;
    bool settled = all || entry->seen == sight->fingerprint;
    entry->seen = sight->fingerprint;
    if (entry->parked || entry->loading || sight->fingerprint == 0 || !settled) return;
    bool known = entry->model ? sight->fingerprint == entry->loaded && !entry->failure[0] : false;
    if (known || (sight->fingerprint == entry->failed && !all)) return;
    order_give(registry, entry, REGISTRY_RELOAD);
}

/* A folder that is gone, twice: while it is replaced by another one, it may be missed once. */
static void look_forget(Registry *registry)
{
    for (size_t i = registry->count; i-- > 0;) {
        RegistryEntry *entry = registry->entries[i];
        if (entry->origin != REGISTRY_FOUND || entry->loading || look_has(&registry->look, entry->name)) continue;
        if (!entry->missed && !registry->look.all) {
            entry->missed = true;
        } else if (entry->parked) {
            registry_remove(registry, entry);
        } else {
            order_give(registry, entry, REGISTRY_UNLOAD);
        }
    }
}

void registry_looked(Registry *registry)
{
    RegistryLook *look = &registry->look;
    look->busy = false;
    if (registry->draining) return;
    if (registry->options.folder && look->all && look->count == 0) {
        log_event(LOG_WARNING, "no_models",
                  "no folder in '%s' has a config.json: nothing is served until one does",
                  registry->options.folder);
    }
    for (size_t i = 0; i < look->count; i++) sight_judge(registry, &look->sights[i]);
    bool whole = look->folder_read && look->count < MODEL_COUNT_MAX; /* else more may be there than was seen */
    if (whole) look_forget(registry);
    if (!look->again) return;
    look->again = false;
    registry_look(registry, true);
}
