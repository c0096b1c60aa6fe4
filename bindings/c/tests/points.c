/* Enrols one frame at points that another detector found. Arguments: tight RGB rows, width, height, ten numbers, a file for the template's bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "veriface.h"

int main(int count, char **arguments) {
    if (count != 15) return 2;
    vf_frame frame = {0};
    frame.format = VF_FORMAT_RGB8;
    frame.width = atoi(arguments[2]);
    frame.height = atoi(arguments[3]);
    frame.has_landmarks = true;
    for (int place = 0; place < 10; place++) frame.landmarks[place] = strtof(arguments[4 + place], NULL);

    size_t length = (size_t)frame.width * (size_t)frame.height * 3;
    unsigned char *memory = malloc(length);
    FILE *file = fopen(arguments[1], "rb");
    if (!memory || !file || fread(memory, 1, length, file) != length || fclose(file)) return 2;
    frame.planes[0].bytes = memory;
    frame.planes[0].length = length;

    vf_error error;
    vf_verifier verifier;
    vf_template person;
    static unsigned char bytes[VF_TEMPLATE_MAX_BYTES];
    if (vf_verifier_open(NULL, NULL, &verifier, &error) || vf_enrol(verifier, &frame, 1, &person, &error) ||
        vf_template_to_bytes(person, bytes, sizeof bytes, &length, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return error.number;
    }
    file = fopen(arguments[14], "wb");
    return !file || fwrite(bytes, 1, length, file) != length || fclose(file);
}
