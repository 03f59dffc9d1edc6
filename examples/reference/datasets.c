/* Datasets: every way to make one, and what can be asked of one and done to it.
 *
 *     datasets [DATA]     (default: data/mnist.npz; writes small files into the working folder) */

#include "../check.h"

static mnist_error *error;

/* What is in an archive of numpy's. */
static void look_into(const char *path)
{
    mnist_npz *npz;
    check(mnist_npz_open(path, &npz, error), error);

    for (size_t i = 0; i < mnist_npz_len(npz); i++) {
        size_t dims[4], rank;
        check(mnist_npz_shape(npz, mnist_npz_name(npz, i), dims, 4, &rank, error), error);
        printf("%s: %zu of rank %zu\n", mnist_npz_name(npz, i), dims[0], rank);
    }

    mnist_npz_free(npz);
}

/* Any two arrays of an archive, or of two archives. */
static void from_archives(const char *path)
{
    mnist_dataset *test, *train;
    check(mnist_dataset_from_npz(path, "x_test", "y_test", &test, error), error);

    check(mnist_dataset_from_npz_pair(path, "x_train", path, "y_train", &train, error), error);

    printf("%zu images to train, %zu to test\n", mnist_dataset_len(train), mnist_dataset_len(test));
    mnist_dataset_free(train);
    mnist_dataset_free(test);
}

/* Writes a file into the working folder, for the library to read. */
static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, len, file) != len || fclose(file))
        exit(EXIT_FAILURE);
}

/* Two files as MNIST was first published: a magic number, the sizes, the bytes. */
static void from_idx(void)
{
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, /* [2, 2, 2] */ 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, /* [2] */ 7, 3};
    write_file("two-images.idx", images, sizeof images);
    write_file("two-labels.idx", labels, sizeof labels);

    mnist_dataset *data;
    check(mnist_dataset_from_idx("two-images.idx", "two-labels.idx", &data, error), error);

    mnist_dataset_free(data);
}

/* A table in text, whose labels are names. */
static void from_csv(void)
{
    static const char table[] = "length,width,species\n5.1,3.5,setosa\n4.9,3.1,setosa\n6.4,2.9,versicolor\n6.2,3.4,virginica\n";
    write_file("flowers.csv", table, sizeof table - 1);

    mnist_dataset *flowers;
    check(mnist_dataset_from_csv("flowers.csv", "species", &flowers, error), error);

    uint32_t labels[4];
    check(mnist_dataset_labels(flowers, labels, 4, error), error); /* 0, 0, 1, 2 */
    printf("the last flower is a %s\n", mnist_dataset_class_name(flowers, labels[3]));

    /* Each column gets mean 0 and standard deviation 1; test data would get the same numbers. */
    float mean[2], deviation[2];
    check(mnist_dataset_statistics(flowers, mean, deviation, 2, error), error);
    check(mnist_dataset_standardize(flowers, mean, deviation, 2, error), error);

    /* The flowers lie species by species: shuffled, a part of them is a fair one. */
    mnist_dataset *some;
    check(mnist_dataset_shuffle(flowers, 42, error), error);
    check(mnist_dataset_slice(flowers, 0, 3, &some, error), error);

    mnist_dataset_free(some);
    mnist_dataset_free(flowers);
}

/* The numbers of two images of 2 x 3 pixels, as bytes and as floats. */
static void from_pixels(void)
{
    static const uint8_t bytes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, labels[] = {7, 3};
    static const float floats[] = {0, .1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f, .9f, 1, 1};
    const size_t dims[] = {2, 2, 3};

    mnist_dataset *data, *other;
    check(mnist_dataset_from_u8(bytes, dims, 3, labels, &data, error), error);

    check(mnist_dataset_from_f32(floats, dims, 3, labels, &other, error), error);

    /* [2, 3] becomes [3, 2] by exchanging height and width, and [6] by forgetting them. */
    check(mnist_dataset_transpose(data, error), error);
    check(mnist_dataset_reshape(data, (const size_t[]){6}, 1, error), error);

    /* Which labels there are, in ascending order: 3 and 7. */
    uint32_t unique[256];
    size_t count;
    check(mnist_dataset_unique_labels(data, unique, 256, &count, error), error);

    mnist_dataset_free(data);
    mnist_dataset_free(other);
}

/* Numbers of any type and shape, with targets instead of labels, and weights. */
static void from_arrays(void)
{
    static const double images[2 * 3 * 4 * 4] = {0.5}; /* [N, channels, height, width], as PyTorch has them */
    static const float targets[] = {0.25f, 0.75f}, weights[] = {1, 2};
    const mnist_array x = {images, MNIST_DTYPE_F64, 4, (const size_t[]){2, 3, 4, 4}};
    const mnist_array y = {targets, MNIST_DTYPE_F32, 1, (const size_t[]){2}};
    const mnist_array w = {weights, MNIST_DTYPE_F32, 1, (const size_t[]){2}};

    mnist_dataset *data;
    check(mnist_dataset_new(&x, &y, &w, &data, error), error);

    /* The library takes images as [N, height, width, channels]. */
    check(mnist_dataset_channels_last(data, error), error);

    size_t target[3], rank = mnist_dataset_target_shape(data, target, 3); /* {1}, 1 */
    float found[2], weight[2];
    check(mnist_dataset_targets(data, found, 2, error), error);
    check(mnist_dataset_weights(data, weight, 2, error), error);
    printf("targets of rank %zu, the second one %.2f, which counts %.0f times\n", rank, found[1], weight[1]);

    mnist_dataset_free(data);
}

/* Samples that are made when they are asked for: the square of sample i, as a target. */
static int32_t fetch(void *user, const uint64_t *indices, size_t count, float *x, uint32_t *labels, float *targets)
{
    (void)user, (void)labels;
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)indices[i] / 1000;
        targets[i] = x[i] * x[i];
    }
    return 0;
}

static void from_source(void)
{
    static const size_t dims[] = {1};
    mnist_source source;
    mnist_source_init(&source, sizeof source);
    source.len = 1000;
    source.dims = dims, source.rank = 1;
    source.target_len = 1;
    source.fetch = fetch;

    mnist_dataset *data;
    check(mnist_dataset_from_source(&source, &data, error), error);

    mnist_dataset_free(data);
}

/* MNIST itself, brought into the form that a network takes. */
static void digits(const char *path)
{
    mnist_dataset *train, *test;
    check(mnist_load_data(path, &train, &test, error), error); /* NULL: from Keras's cache, downloaded if need be */

    check(mnist_dataset_normalize(test, 255.0f, error), error); /* 0 to 255 becomes 0 to 1 */
    check(mnist_dataset_expand_dims(test, error), error);       /* [N, 28, 28] becomes [N, 28, 28, 1] */

    size_t dims[4];
    const size_t rank = mnist_dataset_shape(test, dims, 4);
    const int floats = mnist_dataset_dtype(test) == MNIST_DTYPE_F32;
    printf("%zu images of rank %zu, %s\n", mnist_dataset_len(test), rank, floats ? "floats" : "bytes");

    float pixels[28 * 28];
    uint32_t label;
    check(mnist_dataset_image(test, 0, pixels, 28 * 28, &label, error), error);
    printf("the first one is a %u\n", (unsigned)label);

    mnist_dataset_free(train);
    mnist_dataset_free(test);
}

int main(int argc, char **argv)
{
    const char *archive = argc > 1 ? argv[1] : "data/mnist.npz";
    error = mnist_error_new();

    look_into(archive);
    from_archives(archive);
    from_idx();
    from_csv();
    from_pixels();
    from_arrays();
    from_source();
    digits(archive);

    mnist_error_free(error);
    return EXIT_SUCCESS;
}
