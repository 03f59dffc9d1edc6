import com.sun.jna.*;
import com.sun.jna.ptr.*;
import java.util.Map;
import java.util.concurrent.*;
import java.util.function.Function;

// The Keras MNIST tutorial from Java, with JNA: first the binding, which any program needs, then the tutorial.
//
//     LD_LIBRARY_PATH=../../build java -cp /usr/share/java/jna.jar Tutorial.java [DATA WEIGHTS]

public class Tutorial {
    static final int RELU = 1, SOFTMAX = 2;
    static final Mnist mnist = Native.load("libmnist.so.0", Mnist.class, Map.of(Library.OPTION_STRING_ENCODING, "UTF-8"));

    // The header's functions. A size_t is a long, as on 64-bit machines.
    interface Mnist extends Library {
        String mnist_version();
        String mnist_status_name(int status);
        Pointer mnist_error_new();
        String mnist_error_message(Pointer error);
        void mnist_error_free(Pointer error);
        int mnist_load_data(String path, PointerByReference train, PointerByReference test, Pointer error);
        int mnist_dataset_slice(Pointer dataset, long start, long len, PointerByReference out, Pointer error);
        int mnist_dataset_normalize(Pointer dataset, float divisor, Pointer error);
        long mnist_dataset_len(Pointer dataset);
        int mnist_dataset_image(Pointer dataset, long i, float[] pixels, long capacity, IntByReference label, Pointer error);
        void mnist_dataset_free(Pointer dataset);
        Pointer mnist_graph_new();
        void mnist_graph_set_seed(Pointer graph, long seed);
        void mnist_graph_free(Pointer graph);
        Pointer mnist_input(Pointer graph, long height, long width, long channels);
        Pointer mnist_conv2d(Pointer x, long filters, long kernelSize, int activation);
        Pointer mnist_flatten(Pointer x);
        Pointer mnist_dense(Pointer x, long units, int activation);
        int mnist_model_new(Pointer input, Pointer output, String name, PointerByReference out, Pointer error);
        int mnist_model_compile(Pointer model, Pointer options, Pointer error);
        void mnist_fit_options_init(FitOptions options, long structSize);
        int mnist_model_fit(Pointer model, Pointer dataset, FitOptions options, PointerByReference out, Pointer error);
        void mnist_model_cancel(Pointer model);
        int mnist_model_evaluate(Pointer model, Pointer dataset, Pointer options, double[] metrics, Pointer error);
        int mnist_model_predict(Pointer model, float[] images, long count, float[] probabilities, long capacity, Pointer error);
        int mnist_model_save_weights(Pointer model, String path, Pointer error);
        void mnist_model_free(Pointer model);
    }

    @Structure.FieldOrder({"epoch", "epochs", "batch", "batches", "loss", "accuracy", "val_loss", "val_accuracy", "seconds",
        "metrics"})
    public static class Progress extends Structure {
        public long epoch, epochs, batch, batches;
        public double loss, accuracy, val_loss, val_accuracy, seconds;
        public Pointer metrics;
    }

    // Called after each step, on the thread that called fit; non-zero stops the fit. An exception is printed and lost.
    interface OnBatchEnd extends Callback { int invoke(Pointer userData, Progress progress); }

    // mnist_fit_options with all its fields, because the library fills in all of them. It keeps its callbacks alive.
    @Structure.FieldOrder({"struct_size", "batch_size", "epochs", "initial_epoch", "shuffle", "verbose", "seed",
        "validation_split", "validation_data", "write", "write_data", "on_batch_end", "on_epoch_begin", "on_epoch_end", "user_data",
        "checkpoint_path", "checkpoint_batches", "checkpoint_epochs", "checkpoint_seconds", "resume", "terminate_on_nan",
        "callbacks_config", "class_weight", "class_weight_len", "validation_freq", "steps_per_epoch", "prefetch",
        "communicator"})
    public static class FitOptions extends Structure {
        public long struct_size, batch_size, epochs, initial_epoch, seed, checkpoint_batches, checkpoint_epochs;
        public long class_weight_len, validation_freq, steps_per_epoch, prefetch;
        public int shuffle, verbose, resume, terminate_on_nan;
        public double validation_split, checkpoint_seconds;
        public Pointer validation_data, write, write_data, user_data, class_weight, communicator;
        public OnBatchEnd on_batch_end, on_epoch_begin, on_epoch_end;
        public String checkpoint_path, callbacks_config;
    }

    static class MnistException extends RuntimeException { MnistException(String message) { super(message); } }

    // Makes a call whose last argument is an mnist_error. Returns the name of its status, or throws if it failed.
    static String call(Function<Pointer, Integer> function) {
        Pointer error = mnist.mnist_error_new();
        int status = function.apply(error);
        String name = mnist.mnist_status_name(status), message = mnist.mnist_error_message(error);
        mnist.mnist_error_free(error);
        if (status < 0) throw new MnistException(name + ": " + message);
        return name;
    }

    // The first images of a dataset, with pixels from 0 to 1; the dataset itself is freed.
    static Pointer first(long count, PointerByReference all) {
        var some = new PointerByReference();
        call(error -> mnist.mnist_dataset_slice(all.getValue(), 0, count, some, error));
        call(error -> mnist.mnist_dataset_normalize(some.getValue(), 255, error));
        mnist.mnist_dataset_free(all.getValue());
        return some.getValue();
    }

    // The network. A failed layer call returns null, so do the following calls, and mnist_model_new reports why.
    static Pointer build() {
        Pointer graph = mnist.mnist_graph_new();
        mnist.mnist_graph_set_seed(graph, 42);
        Pointer input = mnist.mnist_input(graph, 28, 28, 1);
        Pointer x = mnist.mnist_conv2d(mnist.mnist_conv2d(input, 32, 3, RELU), 64, 3, RELU);
        Pointer output = mnist.mnist_dense(mnist.mnist_dense(mnist.mnist_flatten(x), 128, RELU), 10, SOFTMAX);
        var model = new PointerByReference();
        call(error -> mnist.mnist_model_new(input, output, null, model, error));
        mnist.mnist_graph_free(graph);
        call(error -> mnist.mnist_model_compile(model.getValue(), null, error)); // Adam with Keras's defaults
        return model.getValue();
    }

    public static void main(String[] arguments) {
        String[] files = arguments.length == 2 ? arguments : new String[] {"../../data/mnist.npz", "tutorial.safetensors"};
        System.out.println("libmnist " + mnist.mnist_version());
        PointerByReference allTrain = new PointerByReference(), allTest = new PointerByReference();
        call(error -> mnist.mnist_load_data(files[0], allTrain, allTest, error));
        Pointer train = first(3200, allTrain), test = first(1000, allTest);
        long learn = mnist.mnist_dataset_len(train), check = mnist.mnist_dataset_len(test);
        System.out.printf("%d images to learn from, %d to test with%n", learn, check);

        Pointer model = build();
        var options = new FitOptions();
        mnist.mnist_fit_options_init(options, options.size());
        if (options.struct_size != options.size()) throw new MnistException("FitOptions is not what the library takes");
        options.seed = 7;
        options.verbose = 0;
        options.on_batch_end = (userData, p) -> {
            if ((p.batch + 1) % 20 == 0)
                System.out.printf("batch %3d of %d: loss %.4f, accuracy %.4f%n", p.batch + 1, p.batches, p.loss, p.accuracy);
            return 0;
        };
        call(error -> mnist.mnist_model_fit(model, train, options, null, error));

        double[] metrics = new double[2]; // loss and accuracy
        call(error -> mnist.mnist_model_evaluate(model, test, null, metrics, error));
        System.out.printf("test: loss %.4f, accuracy %.4f%n", metrics[0], metrics[1]);
        float[] image = new float[28 * 28], probabilities = new float[10];
        var label = new IntByReference();
        call(error -> mnist.mnist_dataset_image(test, 0, image, image.length, label, error));
        call(error -> mnist.mnist_model_predict(model, image, 1, probabilities, probabilities.length, error));
        int best = 0;
        for (int i = 1; i < probabilities.length; i++) if (probabilities[i] > probabilities[best]) best = i;
        System.out.printf("label %d, predicted %d with %.2f%%%n", label.getValue(), best, 100.0 * probabilities[best]);
        call(error -> mnist.mnist_model_save_weights(model, files[1], error));

        var begun = new Semaphore(0); // a cancel before the fit has begun has no effect
        var canceller = CompletableFuture.runAsync(() -> { begun.acquireUninterruptibly(); mnist.mnist_model_cancel(model); });
        options.epochs = 1000;
        options.on_batch_end = (userData, p) -> { begun.release(); return 0; };
        System.out.println("a long fit: " + call(error -> mnist.mnist_model_fit(model, train, options, null, error)));
        canceller.join();

        try { call(error -> mnist.mnist_load_data("nothing.npz", allTrain, allTest, error)); }
        catch (MnistException e) { System.out.println("an error: " + e.getMessage()); }
        mnist.mnist_model_free(model);
        for (Pointer dataset : new Pointer[] {train, test}) mnist.mnist_dataset_free(dataset);
    }
}
