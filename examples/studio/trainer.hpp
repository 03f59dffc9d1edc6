// The thread that trains, and the only one that changes the model.
//
// The user's commands come from any thread, and are carried out between two steps: to pause, the fit's
// callback waits; to stop or to teach, the callback ends the fit, and a later fit goes on with the images that are left.
// Meanwhile every thread may ask the model: it answers from the weights between two steps.

#ifndef STUDIO_TRAINER_HPP
#define STUDIO_TRAINER_HPP

#include "board.hpp"
#include "deck.hpp"
#include "exam.hpp"
#include "lesson.hpp"
#include "meter.hpp"
#include "run.hpp"

#include <atomic>
#include <deque>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>

namespace studio {

struct settings {
    std::string data = "data/mnist.npz";
    std::string weights = "studio.safetensors"; // written when training ends
    std::size_t images = 60000;
    std::size_t epochs = 5;
    std::size_t test_images = 10000;
    std::uint64_t seed = 0;
};

/// A command that makes no sense now.
struct refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class trainer {
public:
    /// Builds the network that is trained first. The board must live longer.
    trainer(const settings &wanted, const network &first, deck train, mnist::dataset test, board &board);

    /// Ends as quit() does.
    ~trainer();

    trainer(const trainer &) = delete;
    trainer &operator=(const trainer &) = delete;

    /// Begins to train.
    void start() { thread_ = std::thread([this] { work(); }); }

    // Commands; they throw `refused` when there is nothing to pause, and so on.
    void pause();
    void resume();
    void stop();
    void train_on();   // once training has ended: another epoch
    void start_over(); // once training has ended: from fresh weights

    /// Trains another network, at any time; the training so far becomes the one that this one is compared with. Throws
    /// bad_network.
    void begin(const network &wanted);

    /// Teaches a digit, waiting for its turn; returns when it is done.
    lesson_report teach(const digit &taught);

    /// The model that is being trained; the working thread alone changes which it is.
    std::shared_ptr<const mnist::model> model() const;

    const mnist::dataset &test_images() const noexcept { return test_; }

    /// Ends training after the step that is under way, saves the weights, and lets everybody go who waits for a lesson.
    void quit();

    /// What training has failed of; empty when it has not. After quit().
    const std::string &failure() const noexcept { return failure_; }

private:
    enum class command { run, pause, stop };
    enum class task { train, teach, begin, save, quit };

    struct lesson {
        digit taught;
        std::promise<lesson_report> done;
    };

    void work();
    task next_task();
    void train();
    mnist::fitted fit();
    bool go_on();
    bool must_leave() const;
    void finish_epoch();
    void halt(const std::string &why);
    void give_lesson();
    std::shared_ptr<built> fresh(const network &wanted);
    void begin_next();
    void save();
    void show_phase(const std::string &phase);
    void show_state();
    void show_filters();

    template <typename Change> void want(const char *refusal, Change &&change);

    const settings settings_;
    const mnist::dataset test_, quick_test_;
    board &board_;

    // Of the working thread.
    deck deck_;
    meter meter_;
    run run_;                   // the one under way
    std::optional<run> before_; // the one before
    std::string why_;           // it has stopped by itself
    std::string phase_ = "training";
    bool unsaved_ = false;
    std::string failure_;
    meter::clock::time_point filters_due_{};

    // Shared: commands come in, the thread carries them out.
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::shared_ptr<built> now_, next_; // what is being trained; what is to be trained instead
    std::uint64_t seed_;                // of the next model's weights
    command command_ = command::run;
    std::size_t epoch_ = 0;
    std::atomic<std::size_t> goal_; // epochs
    bool quit_ = false;
    std::deque<lesson> lessons_;

    std::thread thread_; // last: it uses all of the above
};

} // namespace studio

#endif
