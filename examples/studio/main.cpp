// A page where a network learns while you watch.
//
//     studio [--port N] [--network NAME] [--images N] [--epochs N] [--test-images N] [--data FILE] [--weights FILE]
//
// It trains a network on MNIST, the Keras tutorial's at first, and serves one page, on this machine only, that shows how:
// curves, filters, mistakes; a pad to draw digits on, and "no, that was a 7"; the network's layers and its optimizer, to be
// changed and trained anew. Ctrl-C ends it and saves the weights.

#include "server.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>

namespace {

struct arguments {
    studio::settings settings;
    std::string network = "tutorial";
    int port = 8128;
};

const char usage[] = "usage: studio [--port N] [--network NAME] [--images N] [--epochs N] [--test-images N] [--data FILE] "
                     "[--weights FILE]\n"
                     "  --port         on 127.0.0.1, 0 for any that is free (8128)\n"
                     "  --network      trained first: tutorial, convnet, lenet, dense, resnet or mobilenet (tutorial)\n"
                     "  --images       to train on, 1 to 60000 (60000)\n"
                     "  --epochs       1 to 1000 (5)\n"
                     "  --test-images  to test on after each epoch, 1 to 10000 (10000)\n"
                     "  --data         MNIST as an npz archive (data/mnist.npz)\n"
                     "  --weights      written at the end, safetensors (studio.safetensors)\n";

std::size_t number(const std::string &option, const std::string &text, std::size_t least, std::size_t most)
{
    char *end = nullptr;
    errno = 0;
    const unsigned long value = std::strtoul(text.c_str(), &end, 10);
    if (text.empty() || text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < least || value > most)
        throw std::invalid_argument(option + ": expected a number from " + std::to_string(least) + " to " +
                                    std::to_string(most) + ", found \"" + text + "\"");
    return value;
}

arguments parse(int argc, char **argv)
{
    arguments parsed;
    for (int i = 1; i < argc; i += 2) {
        const std::string option = argv[i];
        if (i + 1 >= argc)
            throw std::invalid_argument(option + ": expected a value, found nothing");
        const std::string value = argv[i + 1];
        if (option == "--port")
            parsed.port = static_cast<int>(number(option, value, 0, 65535));
        else if (option == "--images")
            parsed.settings.images = number(option, value, 1, 60000);
        else if (option == "--epochs")
            parsed.settings.epochs = number(option, value, 1, 1000);
        else if (option == "--test-images")
            parsed.settings.test_images = number(option, value, 1, 10000);
        else if (option == "--network")
            parsed.network = value;
        else if (option == "--data")
            parsed.settings.data = value;
        else if (option == "--weights")
            parsed.settings.weights = value;
        else
            throw std::invalid_argument("unknown option " + option);
    }
    if (studio::example_networks().count(parsed.network) == 0)
        throw std::invalid_argument("--network: expected tutorial, convnet, lenet, dense, resnet or mobilenet, found \"" +
                                    parsed.network + '"');
    return parsed;
}

/// The images to train on and those to test on.
std::pair<studio::deck, mnist::dataset> load(const studio::settings &wanted)
{
    const auto [train, test] = mnist::load_data(wanted.data);
    std::pair<studio::deck, mnist::dataset> made{
        studio::deck(train.slice(0, std::min(train.size(), wanted.images)), wanted.seed),
        test.slice(0, std::min(test.size(), wanted.test_images))};
    made.second.normalize(255.0f);
    return made;
}

void run(const arguments &wanted)
{
    // All threads inherit that these are blocked; they come out of sigwait below and nowhere else.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    studio::board board;
    auto [train, test] = load(wanted.settings);
    studio::trainer trainer(wanted.settings, studio::example_networks().at(wanted.network), std::move(train), std::move(test),
                            board);
    studio::server server(trainer, board);
    const int port = server.bind(wanted.port);
    trainer.start();
    std::thread answering([&] { server.listen(); });
    std::cout << "libmnist studio: http://127.0.0.1:" << port << "/ (Ctrl-C ends it and saves the weights)" << std::endl;

    int signal = 0;
    sigwait(&signals, &signal);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr); // a second Ctrl-C ends the process at once
    board.close();
    trainer.quit();
    server.stop();
    answering.join();
    if (!trainer.failure().empty())
        throw std::runtime_error(trainer.failure());
    std::cout << "\nweights saved: " << wanted.settings.weights << std::endl;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 2 && std::string(argv[1]) == "--help") {
        std::cout << usage;
        return 0;
    }
    try {
        run(parse(argc, argv));
        return 0;
    } catch (const std::invalid_argument &wrong) {
        std::cerr << "studio: " << wrong.what() << '\n' << usage;
        return 2;
    } catch (const std::exception &failure) {
        std::cerr << "studio: " << failure.what() << '\n';
        return 1;
    }
}
