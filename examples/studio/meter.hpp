// How it goes: the points of the curve and images a second, from what a fit tells after each step.

#ifndef STUDIO_METER_HPP
#define STUDIO_METER_HPP

#include <mnist.hpp>

#include <chrono>
#include <optional>

namespace studio {

/// A point of the curve: means over a few steps.
struct point {
    double loss, accuracy;
};

class meter {
public:
    using clock = std::chrono::steady_clock;

    /// Before a fit's first step, or when it goes on after a pause.
    void start() { last_ = clock::now(); }

    /// Before an epoch's first step: the fit's means begin anew.
    void begin()
    {
        seen_ = {};
        start();
    }

    /// After a step on `images` images; a point when enough steps have gone by.
    std::optional<point> step(const mnist::progress &progress, std::size_t images)
    {
        measure_speed(images);
        // A fit tells the means over the epoch so far; what the step added is the difference of two sums.
        const double count = seen_.images + static_cast<double>(images);
        const sums now{count, progress.loss * count, progress.accuracy * count};
        gathered_.images += static_cast<double>(images);
        gathered_.loss += now.loss - seen_.loss;
        gathered_.accuracy += now.accuracy - seen_.accuracy;
        seen_ = now;
        if (++steps_ % steps_a_point != 0)
            return std::nullopt;
        const point made{gathered_.loss / gathered_.images, gathered_.accuracy / gathered_.images};
        gathered_ = {};
        return made;
    }

    /// Images a second, over about the last second of training.
    double speed() const noexcept { return speed_; }

    /// Steps since the beginning.
    std::size_t steps() const noexcept { return steps_; }

private:
    static constexpr std::size_t steps_a_point = 10;

    struct sums {
        double images = 0, loss = 0, accuracy = 0;
    };

    void measure_speed(std::size_t images)
    {
        const auto now = clock::now();
        const double seconds = std::chrono::duration<double>(now - last_).count();
        last_ = now;
        if (seconds <= 0)
            return;
        const double weight = steps_ == 0 ? 1 : std::min(1.0, seconds);
        speed_ += weight * (static_cast<double>(images) / seconds - speed_);
    }

    sums seen_, gathered_;
    std::size_t steps_ = 0;
    double speed_ = 0;
    clock::time_point last_ = clock::now();
};

} // namespace studio

#endif
