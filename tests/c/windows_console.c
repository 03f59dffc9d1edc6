/* Progress and text on stdout: windows_console [COLUMNS]. With COLUMNS it runs in a console of that width, and the
 * characters on the screen are checked; without, stdout may be anything. */

#include <windows.h>
#undef TRUE /* also the name of a check */

#include "expect.h"

static int32_t wait_a_moment(void *unused, const mnist_progress *progress)
{
    (void)unused, (void)progress;
    Sleep(15);
    return 0;
}

/* A row of the console's screen. */
static const wchar_t *row(HANDLE console, SHORT y, SHORT columns)
{
    static wchar_t text[512];
    DWORD read = 0;
    TRUE(ReadConsoleOutputCharacterW(console, text, (DWORD)columns, (COORD){0, y}, &read));
    while (read > 0 && text[read - 1] == L' ')
        read--;
    text[read] = 0;
    return text;
}

/* Whether a row of the screen begins with this text. */
static int shows(HANDLE console, SHORT columns, const wchar_t *start)
{
    CONSOLE_SCREEN_BUFFER_INFO screen;
    TRUE(GetConsoleScreenBufferInfo(console, &screen));
    for (SHORT y = 0; y <= screen.dwCursorPosition.Y; y++)
        if (wcsncmp(row(console, y, columns), start, wcslen(start)) == 0)
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    const SHORT columns = (SHORT)(argc > 1 ? atoi(argv[1]) : 0);
    HANDLE console = NULL;
    error = mnist_error_new();
    if (columns > 0) {
        const SMALL_RECT window = {0, 0, (SHORT)(columns - 1), 20};
        const SMALL_RECT least = {0, 0, 1, 1};
        FreeConsole();
        TRUE(AllocConsole() && freopen("CONOUT$", "w", stdout) != NULL);
        console = CreateFileA("CONOUT$", GENERIC_READ | GENERIC_WRITE, 3, NULL, OPEN_EXISTING, 0, NULL);
        TRUE(SetConsoleWindowInfo(console, 1, &least) && SetConsoleScreenBufferSize(console, (COORD){columns, 200}));
        TRUE(SetConsoleWindowInfo(console, 1, &window));
    }
    mnist_dataset *data = noise(64, 8);
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 8, 8, 1);
    mnist_tensor *x = mnist_dense(mnist_flatten(input), 10, MNIST_ACTIVATION_SOFTMAX);
    mnist_model *model = NULL;
    WORKS(mnist_model_new(input, x, "Z\xc3\xbcrich-\xe6\x95\xb0\xe5\xad\x97", &model, error));
    mnist_graph_free(graph);
    WORKS(mnist_model_compile(model, NULL, error));
    mnist_fit_options options;
    mnist_fit_options_init(&options, sizeof options);
    options.batch_size = 4;
    options.on_batch_end = wait_a_moment;
    printf("before ");
    WORKS(mnist_model_summary(model, NULL, NULL, error));
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    if (console) {
        TRUE(shows(console, columns, L"before Model: \"Z\u00fcrich-\u6570\u5b57\""));
        TRUE(shows(console, columns, L"16/16 [=="));
        TRUE(!shows(console, columns, L" 8/16")); /* it was overwritten */
    }
    mnist_model_free(model);
    mnist_dataset_free(data);
    fclose(stdout);
    fprintf(stderr, "%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
