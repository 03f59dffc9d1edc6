// The training images as a pack of cards.
//
// An epoch shuffles the pack and deals it from the top. A fit can so end after any step, and the next one goes on with
// the images that this epoch has not seen yet; a digit that the user has taught goes into the pack with the others.

#ifndef STUDIO_DECK_HPP
#define STUDIO_DECK_HPP

#include "digit.hpp"

#include <cstdint>
#include <numeric>
#include <random>

namespace studio {

class deck {
public:
    deck(const mnist::dataset &images, std::uint64_t seed) : random_(seed)
    {
        pixels_.reserve(images.size() * side * side);
        labels_.reserve(images.size());
        for (std::size_t i = 0; i < images.size(); i++)
            append(digit_of(images, i));
        given_ = labels_.size();
        forget();
    }

    /// A new epoch: all cards, in a fresh order.
    void shuffle()
    {
        std::shuffle(order_.begin(), order_.end(), random_);
        dealt_ = 0;
    }

    std::size_t size() const noexcept { return order_.size(); }

    std::size_t left() const noexcept { return order_.size() - dealt_; }

    /// The images that this epoch has not seen, in its order.
    mnist::dataset rest() const
    {
        std::vector<std::uint8_t> pixels, labels;
        pixels.reserve(left() * side * side);
        labels.reserve(left());
        for (std::size_t i = dealt_; i < order_.size(); i++) {
            const auto from = pixels_.begin() + static_cast<std::ptrdiff_t>(order_[i] * side * side);
            pixels.insert(pixels.end(), from, from + side * side);
            labels.push_back(labels_[order_[i]]);
        }
        return dataset_of(pixels, labels);
    }

    void deal(std::size_t count) noexcept { dealt_ += std::min(count, left()); }

    /// Puts a digit into the pack, `copies` times, among what is left of this epoch and into all that follow.
    void add(const digit &taught, std::size_t copies)
    {
        const std::size_t card = labels_.size();
        append(taught);
        for (std::size_t i = 0; i < copies; i++) {
            const auto place = std::uniform_int_distribution<std::size_t>(dealt_, order_.size())(random_);
            order_.insert(order_.begin() + static_cast<std::ptrdiff_t>(place), card);
        }
    }

    /// Takes out what was added, and begins a new epoch.
    void forget()
    {
        pixels_.resize(given_ * side * side);
        labels_.resize(given_);
        order_.resize(given_);
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        shuffle();
    }

    /// Any card of the pack.
    digit draw()
    {
        const std::size_t card = order_[std::uniform_int_distribution<std::size_t>(0, order_.size() - 1)(random_)];
        digit drawn{{}, labels_[card]};
        std::copy_n(pixels_.begin() + static_cast<std::ptrdiff_t>(card * side * side), side * side,
                    drawn.picture.begin());
        return drawn;
    }

private:
    void append(const digit &added)
    {
        pixels_.insert(pixels_.end(), added.picture.begin(), added.picture.end());
        labels_.push_back(added.label);
    }

    std::vector<std::uint8_t> pixels_, labels_;
    std::vector<std::size_t> order_; // cards, from the top
    std::size_t dealt_ = 0, given_ = 0;
    std::mt19937_64 random_;
};

} // namespace studio

#endif
