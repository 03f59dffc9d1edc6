/* A data race that the header forbids: two threads have two models write to the same array. ThreadSanitizer must report it,
 * which shows that it sees the library's accesses (tests/races). */

#include "expect.h"

#include <pthread.h>

enum { SIDE = 8, CLASSES = 10, ROUNDS = 200 };

static float images[SIDE * SIDE], probabilities[CLASSES];

static void *predict(void *model)
{
    for (int i = 0; i < ROUNDS; i++)
        TRUE(mnist_model_predict(model, images, 1, probabilities, CLASSES, NULL) == MNIST_OK);
    return NULL;
}

int main(void)
{
    mnist_model *models[2] = {network(SIDE, 4, 16), network(SIDE, 4, 16)};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, predict, models[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    mnist_model_free(models[0]);
    mnist_model_free(models[1]);
    return report();
}
