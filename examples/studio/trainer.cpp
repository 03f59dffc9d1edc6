#include "trainer.hpp"
#include "notices.hpp"

namespace studio {

namespace {

constexpr std::size_t lessons_waiting = 4, copies_kept = 8, mistakes_shown = 12, quick_test_images = 1000;
constexpr std::chrono::milliseconds filters_pause{100};

} // namespace

trainer::trainer(const settings &wanted, const network &first, deck train, mnist::dataset test, board &board)
    : settings_(wanted), test_(std::move(test)), quick_test_(test_.slice(0, std::min(test_.size(), quick_test_images))),
      board_(board), deck_(std::move(train)), seed_(wanted.seed), goal_(wanted.epochs)
{
    next_ = fresh(first);
    begin_next();
}

trainer::~trainer() { quit(); }

// Commands.

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
        const bool can = command_ == command::run && epoch_ < goal_;
        if (can)
            command_ = command::pause;
        return can;
    });
}

void trainer::resume()
{
    want("training is not paused", [&] {
        const bool can = command_ == command::pause;
        if (can)
            command_ = command::run;
        return can;
    });
}

void trainer::stop()
{
    want("there is no training to stop", [&] {
        const bool can = command_ != command::stop && epoch_ < goal_;
        if (can)
            command_ = command::stop;
        return can;
    });
}

void trainer::train_on()
{
    want("training has not ended", [&] {
        const bool can = command_ == command::stop || epoch_ >= goal_;
        if (can) {
            goal_ = epoch_ + 1;
            command_ = command::run;
        }
        return can;
    });
}

void trainer::start_over()
{
    std::shared_ptr<built> again;
    want("training has not ended", [&] {
        const bool can = command_ == command::stop || epoch_ >= goal_;
        if (can)
            again = now_;
        return can;
    });
    begin(again->network);
}

void trainer::begin(const network &wanted)
{
    auto made = fresh(wanted); // here, so that who asks hears what is wrong
    want("training has come to its end", [&] {
        if (!quit_) {
            next_ = std::move(made);
            command_ = command::run;
        }
        return !quit_;
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
            else if (next == task::begin)
                begin_next();
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
        if (next_)
            return task::begin;
        const bool ended = command_ == command::stop || epoch_ >= goal_;
        if (!ended && command_ == command::run)
            return task::train;
        show_phase(!ended ? "paused" : epoch_ >= goal_ ? "finished" : "stopped");
        if (ended && unsaved_)
            return task::save;
    }
}

/// A fit on what this epoch has left, and the test after it. What goes wrong stops the training and no more.
void trainer::train()
{
    try {
        const mnist::fitted done = fit();
        if (!done.diverged.empty())
            return halt(done.diverged);
        if (deck_.left() == 0)
            finish_epoch();
    } catch (const mnist::error &error) { // the memory does not suffice for a batch, say
        halt(error.what());
    }
}

mnist::fitted trainer::fit()
{
    const mnist::dataset images = deck_.rest();
    const std::size_t batch_size = now_->network.batch_size;
    unsaved_ = true;
    why_.clear();
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
        if (const auto point = meter_.step(progress, step_images)) {
            run_.curve.emplace_back(meter_.steps(), *point);
            board_.add(point_json(meter_.steps(), *point));
        }
        show_state();
        if (meter::clock::now() >= filters_due_)
            show_filters();
        return go_on();
    };
    return now_->model.fit(images, options);
}

/// Between two steps: waits while training is paused; whether the fit is to go on.
bool trainer::go_on()
{
    std::unique_lock<std::mutex> lock(mutex_);
    if (command_ == command::pause && !must_leave()) {
        show_filters();
        show_phase("paused");
        changed_.wait(lock, [&] { return command_ != command::pause || must_leave(); });
        meter_.start();
        if (!must_leave())
            show_phase("training");
    }
    return !must_leave();
}

bool trainer::must_leave() const { return quit_ || command_ == command::stop || next_ || !lessons_.empty(); }

/// Tests the weights, shows what came of it, and shuffles for the next epoch.
void trainer::finish_epoch()
{
    show_filters();
    show_phase("testing");
    const std::size_t epoch = epoch_ + 1;
    run_.exams.push_back(examine(now_->model, test_, meter_.steps()));
    board_.pin("exam", exams_json(run_.exams));
    board_.pin("mistakes", mistakes_json(epoch, test_, worst_mistakes(now_->model, test_, mistakes_shown)));
    deck_.shuffle();
    const std::lock_guard<std::mutex> lock(mutex_);
    epoch_ = epoch;
}

void trainer::halt(const std::string &why)
{
    why_ = why;
    const std::lock_guard<std::mutex> lock(mutex_);
    command_ = command::stop;
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
    try {
        const lesson_report report = studio::teach(now_->model, now.taught, deck_, quick_test_);
        deck_.add(now.taught, copies_kept);
        show_filters();
        now.done.set_value(report);
    } catch (const mnist::error &) {
        now.done.set_exception(std::current_exception());
    }
}

std::shared_ptr<built> trainer::fresh(const network &wanted)
{
    const std::uint64_t seed = [&] {
        const std::lock_guard<std::mutex> lock(mutex_);
        return seed_++;
    }();
    return std::make_shared<built>(build(wanted, seed));
}

void trainer::begin_next()
{
    if (!run_.curve.empty())
        before_ = std::move(run_);
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        now_ = std::move(next_);
        next_ = nullptr;
        epoch_ = 0;
        goal_ = settings_.epochs;
    }
    run_ = {now_->network, {}, {}};
    why_.clear();
    deck_.forget();
    meter_ = {};
    board_.clear();
    board_.pin("network", network_json(*now_));
    if (before_)
        board_.pin("before", run_json(*before_));
    show_filters();
    show_phase("training");
}

void trainer::save()
{
    if (unsaved_)
        now_->model.save_weights(settings_.weights);
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
    board_.pin("state", state_json({phase_, why_, epoch_, goal_, done, meter_.steps(), meter_.speed(), test_.size()}));
}

void trainer::show_filters()
{
    const auto shown = first_filters(now_->model);
    const std::size_t numbers = shown ? shown->values.size() : 0;
    filters_due_ = meter::clock::now() + filters_pause * (1 + numbers / 2000); // large ones less often
    board_.pin("filters", filters_json(shown));
}

std::shared_ptr<const mnist::model> trainer::model() const
{
    const std::lock_guard<std::mutex> lock(mutex_);
    return {now_, &now_->model};
}

} // namespace studio
