/* The tutorial's network, trained by the ranks of an MPI program. The weights are bit-identical to those of one process.
 *
 *     mpirun -n 4 tutorial DATA [IMAGES [EPOCHS [THREADS [CHECKPOINT]]]]
 *
 * DATA is an npz archive, IMAGES the number of training images (0: all), EPOCHS the number of epochs (1), THREADS the threads of each
 * rank (1). CHECKPOINT is a file that is written every ten steps, and from which the fit resumes if it exists. Rank 0 prints the
 * progress, and at the end a hash of the weights. */

#include <mnist.h>
#include <mnist_mpi.h>

#include <stdio.h>
#include <stdlib.h>

/* Ends all ranks if a call has failed. */
static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "tutorial: %s: %s\n", mnist_status_name(status), mnist_error_message(error));
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    }
}

static mnist_model *tutorial_network(mnist_error *error)
{
    mnist_model *model;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_conv2d(input, 32, 3, MNIST_ACTIVATION_RELU);
    x = mnist_conv2d(x, 64, 3, MNIST_ACTIVATION_RELU);
    x = mnist_dense(mnist_flatten(x), 128, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, "tutorial", &model, error), error);
    mnist_graph_free(graph);
    return model;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_of_weights(const mnist_model *model, mnist_error *error)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < mnist_model_weights_len(model); i++) {
        const char *name = mnist_model_weight_name(model, i);
        size_t dims[4], rank, len = 1;
        check(mnist_model_weight_shape(model, name, dims, 4, &rank, error), error);
        for (size_t d = 0; d < rank; d++)
            len *= dims[d];
        float *values = malloc(len * sizeof *values);
        check(mnist_model_get_weight(model, name, values, len, error), error);
        for (size_t byte = 0; byte < len * sizeof *values; byte++)
            hash = (hash ^ ((unsigned char *)values)[byte]) * 0x100000001b3u;
        free(values);
    }
    return hash;
}

int main(int argc, char **argv)
{
    const size_t images = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    mnist_error *error = mnist_error_new();
    mnist_dataset *all, *test, *train;
    mnist_fit_options fit;
    MPI_Comm ranks;
    MPI_Init(&argc, &argv);
    MPI_Comm_dup(MPI_COMM_WORLD, &ranks);
    const mnist_communicator communicator = mnist_mpi_communicator(&ranks);

    check(mnist_load_data(argc > 1 ? argv[1] : "data/mnist.npz", &all, &test, error), error);
    check(mnist_dataset_slice(all, 0, images ? images : mnist_dataset_len(all), &train, error), error);
    check(mnist_dataset_normalize(train, 255.0f, error), error);
    mnist_model *model = tutorial_network(error);
    check(mnist_model_set_threads(model, argc > 4 ? strtoul(argv[4], NULL, 10) : 1, error), error);
    check(mnist_model_compile(model, NULL, error), error);

    mnist_fit_options_init(&fit, sizeof fit);
    fit.epochs = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    fit.verbose = communicator.rank == 0 ? 2 : 0;
    fit.checkpoint_path = argc > 5 ? argv[5] : NULL;
    fit.checkpoint_batches = argc > 5 ? 10 : 0;
    fit.resume = argc > 5;
    fit.communicator = &communicator;
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    if (communicator.rank == 0)
        printf("weights %016llx\n", (unsigned long long)hash_of_weights(model, error));

    mnist_model_free(model);
    mnist_dataset_free(train), mnist_dataset_free(all), mnist_dataset_free(test);
    mnist_error_free(error);
    MPI_Comm_free(&ranks);
    return MPI_Finalize() == MPI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
