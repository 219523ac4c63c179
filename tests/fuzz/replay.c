/* Runs every file of a corpus through a fuzz target, where there is no libFuzzer: replay DIRECTORY. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int replay_file(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *stream = fopen(path, "rb");
    if (!stream) return -1;
    fseek(stream, 0, SEEK_END);
    size_t size = (size_t)ftell(stream);
    rewind(stream);
    /* Exactly `size` bytes, so that the address sanitizer sees a read past the end. */
    uint8_t *bytes = malloc(size ? size : 1);
    int result = bytes && fread(bytes, 1, size, stream) == size ? 0 : -1;
    fclose(stream);
    fprintf(stderr, "%s: %zu bytes\n", name, size); /* the last line before a crash names the file */
    if (result == 0) (void)LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return result;
}

int main(int argument_count, char **arguments)
{
    if (argument_count != 2) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", arguments[0]);
        return 2;
    }
    DIR *directory = opendir(arguments[1]);
    int count = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        if (replay_file(arguments[1], entry->d_name) != 0) {
            fprintf(stderr, "%s/%s: cannot be read\n", arguments[1], entry->d_name);
            return 1;
        }
        count++;
    }
    if (directory) closedir(directory);
    printf("%d inputs of %s replayed\n", count, arguments[1]);
    return count > 0 ? 0 : 1;
}
