"""The client library as a C program meets it: installed, found by pkg-config, with nothing else of
ours to see."""
import os
import subprocess

from daemon import OUT, ROOT

PROGRAM = r"""
#include <batchd/client.h>
#include <stdio.h>

/* A name that the library uses inside: it must not clash. */
void json_put(void) {}
void json_put(void);

int main(int argc, char **argv)
{
    struct error err;
    struct batchd_client *client = batchd_connect(argv[argc - 1], 10000, &err);
    if (client == NULL)
        return fprintf(stderr, "%s\n", err.text), 2;
    json_t *reply = batchd_call(client, "io.batchd.Server.GetInfo", NULL, &err);
    printf("%s\n", json_string_value(json_object_get(reply, "version")));
    json_decref(reply);
    if (batchd_call(client, "io.batchd.Jobs.Show", json_pack("{si}", "id", 99), &err) == NULL)
        printf("%s: %s\n", batchd_error_name(client), err.text);
    batchd_close(client);
    return 0;
}
"""


def test_a_program_of_ten_lines(daemon, tmp_path):
    prefix = (OUT / "prefix").read_text().strip()
    subprocess.run(["make", "-s", "install-library", f"OUT={OUT.relative_to(ROOT)}",
                    f"DESTDIR={tmp_path}", f"PREFIX={prefix}"], cwd=ROOT, check=True, capture_output=True)
    place = tmp_path / prefix.lstrip("/")
    environment = dict(os.environ, PKG_CONFIG_PATH=str(place / "lib/pkgconfig"))
    flags = subprocess.run(["pkg-config", f"--define-variable=prefix={place}", "--cflags", "--libs",
                            "batchd-client"], env=environment, check=True, capture_output=True, text=True)
    (tmp_path / "ten.c").write_text(PROGRAM)
    sanitize = ["-fsanitize=address,undefined"] if OUT.name == "san" else []
    subprocess.run(["cc", "-Wall", "-Werror", "-o", tmp_path / "ten", tmp_path / "ten.c", *sanitize,
                    *flags.stdout.split()], check=True)
    done = subprocess.run([tmp_path / "ten", daemon.socket], check=True, capture_output=True, text=True)
    assert done.stdout == "0.1.0\nio.batchd.NoSuchJob: no job 99\n"
    gone = subprocess.run([tmp_path / "ten", tmp_path / "none"], check=False, capture_output=True, text=True)
    assert gone.returncode == 2 and "cannot reach batchd" in gone.stderr
