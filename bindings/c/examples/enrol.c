/* Enrols one person's picture files, and writes the template.
 *
 *   cc -Ibindings/c/include bindings/c/examples/enrol.c -Ltarget/release -lveriface_native -o enrol
 *   ./enrol person.vftemplate 1.jpg 2.jpg            the pack that is built in
 *   ./enrol --pack my.vfpack person.vftemplate 1.jpg
 *
 * A template is biometric data: a product seals it.
 */
#include <stdio.h>
#include <string.h>

#include "veriface.h"

static int failed(const char *what, const vf_error *error) {
    fprintf(stderr, "%s: %s\n%s\n", what, error->message, vf_error_advice(error->number));
    return error->number;
}

int main(int count, char **arguments) {
    const char *pack = NULL;
    if (count > 2 && strcmp(arguments[1], "--pack") == 0) {
        pack = arguments[2];
        arguments += 2;
        count -= 2;
    }
    if (count < 3) {
        fprintf(stderr, "usage: enrol [--pack PACK] TEMPLATE PICTURE …\n");
        return 2;
    }

    vf_error error;
    vf_verifier verifier = {0};
    if (vf_verifier_open(pack, NULL, &verifier, &error)) return failed("the pack", &error);
    vf_template person = {0};
    const char *const *pictures = (const char *const *)(arguments + 2);
    if (vf_enrol_files(verifier, pictures, (size_t)count - 2, &person, &error)) return failed("enrolment", &error);

    static unsigned char bytes[VF_TEMPLATE_MAX_BYTES];
    size_t length = 0;
    if (vf_template_to_bytes(person, bytes, sizeof bytes, &length, &error)) return failed("the template", &error);
    FILE *file = fopen(arguments[1], "wb");
    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file)) {
        perror(arguments[1]);
        return 2;
    }
    vf_template_close(person);
    vf_verifier_close(verifier);
    return 0;
}
