#include "trainer.hpp"
#include "notices.hpp"

namespace studio {

namespace {

constexpr std::size_t batch_size = 32, lessons_waiting = 4, copies_kept = 8, mistakes_shown = 12, quick_test_images = 1000;
constexpr std::chrono::milliseconds filters_pause{100};

mnist::model build(std::uint64_t seed)
{
    mnist::graph graph;
    graph.seed(seed);
    const auto input = graph.input(side, side, 1);
    const auto output = input.conv2d(32, 3, mnist::relu)
                            .conv2d(64, 3, mnist::relu)
                            .flatten()
                            .dense(128, mnist::relu)
                            .dense(classes, mnist::softmax);
    mnist::model model(input, output, "studio");
    model.compile();
    return model;
}

} // namespace

trainer::trainer(const settings &wanted, deck train, mnist::dataset test, board &board)
    : settings_(wanted), test_(std::move(test)), quick_test_(test_.slice(0, std::min(test_.size(), quick_test_images))),
      board_(board), deck_(std::move(train)), seed_(wanted.seed), goal_(wanted.epochs)
{
    fresh_model();
}

trainer::~trainer() { quit(); }

// Wishes.

template <typename Change> void trainer::want(const char *refusal, Change &&change)
{
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!change())
            throw refused(refusal);
    }
    changed_.notify_all();
}

void trainer::pause()
{
    want("there is no training to pause", [&] {
        const bool can = wish_ == wish::run && epoch_ < goal_;
        if (can)
            wish_ = wish::pause;
        return can;
    });
}

void trainer::resume()
{
    want("training is not paused", [&] {
        const bool can = wish_ == wish::pause;
        if (can)
            wish_ = wish::run;
        return can;
    });
}

void trainer::stop()
{
    want("there is no training to stop", [&] {
        const bool can = wish_ != wish::stop && epoch_ < goal_;
        if (can)
            wish_ = wish::stop;
        return can;
    });
}

void trainer::train_on()
{
    want("training has not ended", [&] {
        const bool can = wish_ == wish::stop || epoch_ >= goal_;
        if (can) {
            goal_ = epoch_ + 1;
            wish_ = wish::run;
        }
        return can;
    });
}

void trainer::start_over()
{
    want("training has not ended", [&] {
        const bool can = wish_ == wish::stop || epoch_ >= goal_;
        if (can) {
            start_over_ = true;
            wish_ = wish::run;
        }
        return can;
    });
}

lesson_report trainer::teach(const digit &taught)
{
    std::future<lesson_report> done;
    want("too many lessons are waiting, or training has come to its end", [&] {
        const bool can = !quit_ && lessons_.size() < lessons_waiting;
        if (can) {
            lessons_.push_back({taught, {}});
            done = lessons_.back().done.get_future();
        }
        return can;
    });
    return done.get();
}

void trainer::quit()
{
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        quit_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

// The working thread.

void trainer::work()
{
    try {
        for (task next = next_task(); next != task::quit; next = next_task()) {
            if (next == task::train)
                train();
            else if (next == task::teach)
                give_lesson();
            else if (next == task::start_over)
                fresh_model();
            else
                save();
        }
        save();
    } catch (const std::exception &failure) {
        failure_ = failure.what();
        board_.pin("failure", failure_json(failure.what()));
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    quit_ = true;
    lessons_.clear(); // whoever waits for one gets a broken promise
}

/// Waits until there is something to do.
trainer::task trainer::next_task()
{
    std::unique_lock<std::mutex> lock(mutex_);
    for (;; changed_.wait(lock)) {
        if (quit_)
            return task::quit;
        if (!lessons_.empty())
            return task::teach;
        if (start_over_)
            return task::start_over;
        const bool ended = wish_ == wish::stop || epoch_ >= goal_;
        if (!ended && wish_ == wish::run)
            return task::train;
        show_phase(!ended ? "paused" : epoch_ >= goal_ ? "finished" : "stopped");
        if (ended && unsaved_)
            return task::save;
    }
}

/// A fit on what this epoch has left.
void trainer::train()
{
    const mnist::dataset images = deck_.rest();
    unsaved_ = true;
    mnist::fit_options options;
    options.batch_size = batch_size;
    options.shuffle = false; // the deck is
    options.verbose = 0;
    options.on_epoch_begin = [&](const mnist::progress &) {
        meter_.begin();
        show_phase("training");
        return go_on();
    };
    options.on_batch_end = [&](const mnist::progress &progress) {
        const std::size_t step_images = std::min(batch_size, deck_.left());
        deck_.deal(step_images);
        if (const auto point = meter_.step(progress, step_images))
            board_.add(point_json(meter_.steps(), *point));
        show_state();
        if (meter::clock::now() - filters_shown_ >= filters_pause)
            show_filters();
        return go_on();
    };
    model_->fit(images, options);
    if (deck_.left() == 0)
        finish_epoch();
}

/// Between two steps: waits while training is paused; whether the fit is to go on.
bool trainer::go_on()
{
    std::unique_lock<std::mutex> lock(mutex_);
    if (wish_ == wish::pause && !must_leave()) {
        show_filters();
        show_phase("paused");
        changed_.wait(lock, [&] { return wish_ != wish::pause || must_leave(); });
        meter_.start();
        if (!must_leave())
            show_phase("training");
    }
    return !must_leave();
}

bool trainer::must_leave() const { return quit_ || wish_ == wish::stop || !lessons_.empty(); }

/// Tests the weights, shows what came of it, and shuffles for the next epoch.
void trainer::finish_epoch()
{
    show_filters();
    show_phase("testing");
    const std::size_t epoch = epoch_ + 1;
    exams_.push_back(examine(*model_, test_, meter_.steps()));
    board_.pin("exam", exams_json(exams_));
    board_.pin("mistakes", mistakes_json(epoch, test_, worst_mistakes(*model_, test_, mistakes_shown)));
    deck_.shuffle();
    const std::lock_guard<std::mutex> lock(mutex_);
    epoch_ = epoch;
}

void trainer::give_lesson()
{
    show_phase("teaching");
    lesson now = [&] {
        const std::lock_guard<std::mutex> lock(mutex_);
        lesson first = std::move(lessons_.front());
        lessons_.pop_front();
        return first;
    }();
    unsaved_ = true;
    const lesson_report report = studio::teach(*model_, now.taught, deck_, quick_test_);
    deck_.add(now.taught, copies_kept);
    show_filters();
    now.done.set_value(report);
}

void trainer::fresh_model()
{
    auto made = std::make_shared<mnist::model>(build(seed_++));
    board_.clear();
    deck_.forget();
    meter_ = {};
    exams_.clear();
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        model_ = std::move(made);
        start_over_ = false;
        epoch_ = 0;
        goal_ = settings_.epochs;
    }
    show_filters();
    show_phase("training");
}

void trainer::save()
{
    if (unsaved_)
        model_->save_weights(settings_.weights);
    unsaved_ = false;
}

void trainer::show_phase(const std::string &phase)
{
    phase_ = phase;
    show_state();
}

void trainer::show_state()
{
    const double done = 1 - static_cast<double>(deck_.left()) / static_cast<double>(deck_.size());
    board_.pin("state", state_json({phase_, epoch_, goal_, done, meter_.steps(), meter_.speed(), test_.size()}));
}

void trainer::show_filters()
{
    filters_shown_ = meter::clock::now();
    board_.pin("filters", filters_json(*model_));
}

/// The model of this moment, for the other threads; the working thread alone changes which it is.
std::shared_ptr<mnist::model> trainer::model() const
{
    const std::lock_guard<std::mutex> lock(mutex_);
    return model_;
}

} // namespace studio
