/* What the C interface promises, called as C calls it. Arguments: a folder of portraits, and a file for a template's bytes. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "veriface.h"

#define CHECK(condition)                                                           \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);         \
            exit(1);                                                               \
        }                                                                          \
    } while (0)

static vf_verifier verifier;
static vf_template person;
static char other[1000];

static void *many_times(void *out) {
    for (int i = 0; i < 4; i++) {
        vf_decision decision;
        CHECK(vf_verify_template_file(verifier, person, other, &decision, NULL) == 0);
        *(float *)out = decision.score;
        /* Opened here, closed twice. */
        vf_template copy;
        unsigned char bytes[VF_TEMPLATE_MAX_BYTES];
        size_t length;
        CHECK(vf_template_to_bytes(person, bytes, sizeof bytes, &length, NULL) == 0);
        CHECK(vf_template_from_bytes(bytes, length, &copy, NULL) == 0);
        vf_template_close(copy);
        vf_template_close(copy);
    }
    return NULL;
}

/* What an NV21 frame of this size costs at the border, in microseconds: it is one byte short, so it is refused right behind it. */
static double border(int width, int height) {
    vf_frame frame = {0};
    frame.format = VF_FORMAT_NV21;
    frame.width = width;
    frame.height = height;
    frame.matrix = VF_MATRIX_BT601;
    frame.planes[0].length = (size_t)width * (size_t)height * 3 / 2 - 1;
    frame.planes[0].bytes = malloc(frame.planes[0].length);
    vf_error error;
    size_t faces;
    clock_t start = clock();
    for (int i = 0; i < 2000; i++) CHECK(vf_detect(verifier, &frame, NULL, 0, &faces, &error) == VF_ERROR_INVALID_FRAME);
    double each = (double)(clock() - start) / CLOCKS_PER_SEC / 2000 * 1e6;
    free((void *)frame.planes[0].bytes);
    return each;
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    char smiling[1000], nowhere[1000];
    snprintf(smiling, sizeof smiling, "%s/obama-smiling.jpg", arguments[1]);
    snprintf(other, sizeof other, "%s/obama-standing.jpg", arguments[1]);
    snprintf(nowhere, sizeof nowhere, "%s/nobody.jpg", arguments[1]);

    vf_error error;
    CHECK(vf_verifier_open("no/such.vfpack", NULL, &verifier, &error) == VF_ERROR_CANNOT_READ);
    CHECK(error.number == VF_ERROR_CANNOT_READ && error.picture == VF_PICTURE_NONE && strstr(error.message, "such.vfpack"));
    CHECK(vf_verifier_open(NULL, NULL, NULL, &error) == VF_ERROR_INVALID_ARGUMENT);
    vf_options options = {0};
    options.face_choice = 9;
    CHECK(vf_verifier_open(NULL, &options, &verifier, &error) == VF_ERROR_INVALID_ARGUMENT);
    options.face_choice = VF_FACE_LARGEST;
    options.has_threshold = true;
    options.threshold = 2;
    CHECK(vf_verifier_open(NULL, &options, &verifier, NULL) == VF_ERROR_INVALID_ARGUMENT);
    CHECK(vf_verifier_open(NULL, NULL, &verifier, &error) == 0 && error.number == 0 && error.message[0] == 0);

    vf_decision decision;
    CHECK(vf_verify_files(verifier, smiling, other, &decision, &error) == 0);
    CHECK(decision.same && !decision.liveness_assessed && decision.score >= decision.threshold && decision.false_match_rate > 0);
    CHECK(vf_verify_files(verifier, smiling, nowhere, &decision, &error) == VF_ERROR_CANNOT_READ && error.picture == VF_PICTURE_PROBE);
    CHECK(vf_verify_files(verifier, NULL, smiling, &decision, &error) == VF_ERROR_INVALID_ARGUMENT && error.picture == VF_PICTURE_REFERENCE);

    const char *paths[] = {smiling, nowhere};
    CHECK(vf_enrol_files(verifier, paths, 2, &person, &error) == VF_ERROR_CANNOT_READ && error.picture == 1);
    CHECK(vf_enrol_files(verifier, paths, 0, &person, &error) == VF_ERROR_NOTHING_TO_ENROL);
    CHECK(vf_enrol_files(verifier, paths, 1, &person, &error) == 0);

    unsigned char bytes[VF_TEMPLATE_MAX_BYTES];
    size_t length = 0;
    CHECK(vf_template_to_bytes(person, bytes, 3, &length, &error) == VF_ERROR_INVALID_ARGUMENT && length > 3);
    CHECK(vf_template_to_bytes(person, bytes, sizeof bytes, &length, &error) == 0);
    FILE *file = fopen(arguments[2], "wb");
    CHECK(file && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
    bytes[length / 2] ^= 1;
    vf_template damaged = {0};
    CHECK(vf_template_from_bytes(bytes, length, &damaged, &error) == VF_ERROR_DAMAGED_TEMPLATE);
    CHECK(vf_template_from_bytes(NULL, 100, &damaged, &error) == VF_ERROR_NOT_A_TEMPLATE);

    /* A grey frame has nobody in it, and a short one is refused. */
    unsigned char grey[64 * 48] = {0};
    vf_frame frame = {0};
    frame.format = VF_FORMAT_GRAY8;
    frame.width = 64;
    frame.height = 48;
    frame.planes[0].bytes = grey;
    frame.planes[0].length = sizeof grey;
    CHECK(vf_verify_template(verifier, person, &frame, &decision, &error) == VF_ERROR_NO_FACE && error.picture == VF_PICTURE_PROBE);
    size_t faces = 7;
    CHECK(vf_detect(verifier, &frame, NULL, 0, &faces, &error) == 0 && faces == 0);
    frame.planes[0].length--;
    CHECK(vf_verify_template(verifier, person, &frame, &decision, &error) == VF_ERROR_INVALID_FRAME);
    CHECK(vf_verify_template(verifier, person, NULL, &decision, &error) == VF_ERROR_INVALID_ARGUMENT);
    CHECK(vf_enrol(verifier, &frame, 1, &damaged, &error) == VF_ERROR_INVALID_FRAME && error.picture == 0);
    frame.planes[0].length++;

    /* Another detector's points: ours gives none here, so the frame's quality is what is said; their order counts. */
    frame.has_landmarks = true;
    const float face[10] = {20, 15, 40, 15, 30, 24, 22, 34, 38, 34};
    memcpy(frame.landmarks, face, sizeof face);
    CHECK(vf_verify_template(verifier, person, &frame, &decision, &error) == VF_ERROR_POOR_QUALITY && error.reasons);
    frame.landmarks[0] = 40, frame.landmarks[2] = 20;
    CHECK(vf_verify_template(verifier, person, &frame, &decision, &error) == VF_ERROR_INVALID_LANDMARKS && error.picture == VF_PICTURE_PROBE);
    frame.has_landmarks = false;

    vf_session session;
    vf_progress progress;
    CHECK(vf_session_open(verifier, VF_PURPOSE_VERIFY, &session, &error) == 0);
    CHECK(vf_session_frame(session, &frame, 0, &progress, &error) == 0 && !progress.ready && !progress.has_face);
    CHECK(strcmp(vf_guidance_sentence(progress.guidance), "Look into the camera.") == 0);
    CHECK(vf_session_decide(session, person, &decision, &error) == VF_ERROR_NO_FACE);
    CHECK(vf_session_reset(session, &error) == 0);
    vf_session_close(session);
    vf_session_close(session);
    CHECK(vf_session_frame(session, &frame, 0, &progress, &error) == VF_ERROR_CLOSED);

    CHECK(strcmp(vf_error_name(VF_ERROR_NO_FACE), "NoFace") == 0 && vf_error_advice(VF_ERROR_CLOSED) && !vf_error_name(1));
    CHECK(vf_reason_sentence(0) && !vf_reason_sentence(99) && vf_version());

    pthread_t threads[4];
    float scores[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, many_times, &scores[i]) == 0);
    for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0 && scores[i] == scores[0]);

    double large = border(1280, 720), small = border(16, 16);
    printf("border: a 1280×720 NV21 frame %.2f µs with its error, a 16×16 one %.2f µs\n", large, small);
    CHECK(large < 10 * small + 50);

    CHECK(vf_open_handles() == 2);
    vf_template_close(person);
    vf_verifier_close(verifier);
    vf_verifier_close(verifier);
    CHECK(vf_verify_files(verifier, smiling, other, &decision, &error) == VF_ERROR_CLOSED);
    CHECK(vf_open_handles() == 0);
    puts("all held");
    return 0;
}
