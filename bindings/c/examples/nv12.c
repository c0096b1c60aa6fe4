/* Verifies a camera's NV12 frame against a picture file.
 *
 *   cc -Ibindings/c/include bindings/c/examples/nv12.c -Ltarget/release -lveriface_native -o nv12
 *   ./nv12 enrolled.jpg frame.nv12 1280 720 1280
 *
 * The numbers are those that V4L2 reports: width, height and bytesperline. V4L2's buffers are mapped memory; here a file stands for one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "veriface.h"

static int failed(const char *what, const vf_error *error) {
    fprintf(stderr, "%s: %s\n%s\n", what, error->message, vf_error_advice(error->number));
    for (unsigned reason = 0; reason < 32; reason++) {
        if (error->reasons >> reason & 1) fprintf(stderr, "- %s\n", vf_reason_sentence(reason));
    }
    return error->number;
}

static unsigned char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*length ? *length : 1);
    if (bytes && fread(bytes, 1, *length, file) != *length) *length = 0;
    fclose(file);
    return bytes;
}

int main(int count, char **arguments) {
    if (count != 6) {
        fprintf(stderr, "usage: nv12 ENROLLED.jpg FRAME.nv12 WIDTH HEIGHT BYTESPERLINE\n");
        return 2;
    }
    size_t length = 0;
    unsigned char *memory = read_file(arguments[2], &length);
    if (!memory) {
        perror(arguments[2]);
        return 2;
    }

    vf_error error;
    vf_verifier verifier = {0};
    if (vf_verifier_open(NULL, NULL, &verifier, &error)) return failed("the pack", &error);

    vf_template person = {0};
    const char *enrolled[] = {arguments[1]};
    if (vf_enrol_files(verifier, enrolled, 1, &person, &error)) return failed("enrolment", &error);

    vf_frame frame = {0};
    frame.format = VF_FORMAT_NV12;
    frame.width = atoi(arguments[3]);
    frame.height = atoi(arguments[4]);
    frame.matrix = VF_MATRIX_BT601;
    frame.range = VF_RANGE_FULL;
    frame.planes[0].bytes = memory;
    frame.planes[0].length = length;
    frame.planes[0].row_stride = (size_t)atoi(arguments[5]);

    vf_decision decision;
    if (vf_verify_template(verifier, person, &frame, &decision, &error)) return failed("the frame", &error);
    printf("same %d score %.6f threshold %.6f rate %g\n", decision.same, decision.score, decision.threshold, decision.false_match_rate);

    vf_template_close(person);
    vf_verifier_close(verifier);
    free(memory);
    return 0;
}
