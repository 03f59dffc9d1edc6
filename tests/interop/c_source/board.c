/* The program on the board: predicts each image and prints how many of the outputs have the expected bits, and, if it can be measured,
 * the time of a prediction. MODEL and EXPECTED are files written by `train`. */

#if defined(__AVR__)

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

#define CONST const __flash

static void put(char c)
{
    while ((UCSR0A & (1 << UDRE0)) == 0) {
    }
    UDR0 = (uint8_t)c;
}

static void start(void)
{
    UCSR0B = 1 << TXEN0;
    TCCR1A = 0;
    TCCR1B = (1 << CS12) | (1 << CS10); /* a tick is 1,024 cycles */
}

static unsigned long ticks(void)
{
    return TCNT1;
}

static void stop(void)
{
    put('\n');
    cli();
    sleep_enable();
    sleep_cpu(); /* with interrupts off, this ends the simulation */
    for (;;) {
    }
}

enum { CYCLES_OF_A_TICK = 1024 };

#else

#include <stdint.h>

#define CONST const

extern uint32_t stack_top;
extern uint32_t bss_start, bss_end;
int main(void);
static void reset(void);

/* The start of the vector table: the initial stack pointer and the entry point. */
__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {&stack_top, (const void *)reset};

static void call(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void reset(void)
{
#if defined(__ARM_FP)
    *(volatile uint32_t *)0xE000ED88U |= 0xFU << 20; /* enables the floating-point unit */
    __asm__ volatile("dsb\nisb");
#endif
    for (uint32_t *word = &bss_start; word < &bss_end; word++)
        *word = 0;
    main();
}

static void put(char c)
{
    call(3, &c); /* SYS_WRITEC */
}

static void start(void)
{
}

static unsigned long ticks(void)
{
    return 0;
}

static void stop(void)
{
    put('\n');
    call(0x18, (const void *)0x20026); /* SYS_EXIT: application exit */
    for (;;) {
    }
}

enum { CYCLES_OF_A_TICK = 0 };

#endif

#include MODEL
#include EXPECTED

static void say(const char *text)
{
    while (*text != '\0')
        put(*text++);
}

static void number(unsigned long n)
{
    if (n > 9)
        number(n / 10);
    put((char)('0' + n % 10));
}

int main(void)
{
    static float image[NET_INPUT_LEN], out[NET_OUTPUT_LEN];
    unsigned long same = 0, longest = 0;
    start();
    for (int i = 0; i < IMAGES; i++) {
        for (unsigned p = 0; p < NET_INPUT_LEN; p++)
            image[p] = (float)images[i][p] / 255.0f;
        const unsigned long before = ticks();
        net_predict(image, out);
        const unsigned long took = (ticks() - before) & 0xffffUL;
        longest = took > longest ? took : longest;
        for (unsigned c = 0; c < NET_OUTPUT_LEN; c++) {
            union {
                float number;
                uint32_t bits;
            } word;
            word.number = out[c];
            same += word.bits == expected[i][c];
        }
    }
    number(same);
    say(" of ");
    number((unsigned long)IMAGES * NET_OUTPUT_LEN);
    say(" numbers the same");
    if (longest > 0) {
        say(", ");
        number(longest * CYCLES_OF_A_TICK);
        say(" cycles");
    }
    stop();
    return 0;
}
